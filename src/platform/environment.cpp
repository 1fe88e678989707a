#include "platform/environment.h"

#include <cstdlib>
#include <cstring>

#include <unistd.h>

namespace knarr::sys {

namespace {

void wipe(char* text) {
    explicit_bzero(text, std::strlen(text));
}

}  // namespace

void hide_environment() {
    std::size_t entries = 0, bytes = 0;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        ++entries;
        bytes += std::strlen(*entry) + 1;
    }
    if (entries == 0) {
        return;
    }
    // One block, which lives as long as the process does: pointers first, then their texts.
    const std::size_t pointers = (entries + 1) * sizeof(char*);
    char* block = static_cast<char*>(std::malloc(pointers + bytes));
    if (block == nullptr) {
        return;  // as good as it was before
    }
    char** moved = reinterpret_cast<char**>(block);
    char* text = block + pointers;
    for (std::size_t i = 0; i < entries; ++i) {
        const std::size_t length = std::strlen(environ[i]) + 1;
        std::memcpy(text, environ[i], length);
        moved[i] = text;
        text += length;
        wipe(environ[i]);
    }
    moved[entries] = nullptr;
    environ = moved;
}

void forget_environment() {
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        wipe(*entry);
    }
    static char* none = nullptr;
    environ = &none;
}

}  // namespace knarr::sys
