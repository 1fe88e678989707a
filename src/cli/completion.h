#pragma once
// Completion for shells, made from the verbs' own tables: nothing in it can be forgotten.

#include <string>

#include "cli/verb.h"

namespace knarr::cli {

/// A verb with the words that lead to it: "run", "image list".
struct VerbPath {
    std::string path;
    const Verb* verb = nullptr;
};
/// All of them and what is in them, in the order of the help; aliases as paths of their own.
std::vector<VerbPath> verb_paths(std::span<const Verb* const> verbs);

/// What a verb's arguments are.
enum class ArgumentKind : std::uint8_t { files, containers, images, verbs };
ArgumentKind arguments_of(const Verb& verb);

std::string bash_completion();
std::string zsh_completion();
std::string fish_completion();

}  // namespace knarr::cli
