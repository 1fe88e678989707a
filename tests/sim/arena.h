#pragma once
// Memory that all simulated processes share: they are real forks of the test, and what the
// simulated kernel knows lies here, at the same address in each of them. Only the one whose turn it
// is touches it, so that nothing is locked.

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace knarr::sim {

/// Maps the arena, once for the test program, and empties it: whatever was in it is gone.
void reset_arena();
void* take(std::size_t bytes);
void give_back(void* memory, std::size_t bytes);
bool is_in_arena(const void* memory);

template <class T>
struct InArena {
    using value_type = T;
    InArena() = default;
    template <class U>
    InArena(const InArena<U>& /*other*/) {}  // NOLINT(google-explicit-constructor)
    T* allocate(std::size_t count) { return static_cast<T*>(take(count * sizeof(T))); }
    void deallocate(T* memory, std::size_t count) { give_back(memory, count * sizeof(T)); }
    bool operator==(const InArena& /*other*/) const { return true; }
};

using Text = std::basic_string<char, std::char_traits<char>, InArena<char>>;
template <class T>
using List = std::vector<T, InArena<T>>;
template <class T>
using Queue = std::deque<T, InArena<T>>;
template <class K, class V>
using Map = std::map<K, V, std::less<>, InArena<std::pair<const K, V>>>;

/// Lives until the arena is emptied.
template <class T, class... Args>
T* make(Args&&... args) {
    return new (take(sizeof(T))) T{std::forward<Args>(args)...};
}

inline std::string_view view(const Text& text) {
    return {text.data(), text.size()};
}

}  // namespace knarr::sim
