#pragma once

namespace knarr {

/// One callable of several, for std::visit.
template <typename... Fs>
struct Overloaded : Fs... {
    using Fs::operator()...;
};

}  // namespace knarr
