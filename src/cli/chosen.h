#pragma once
// podman's ways to say which containers a verb is about, beside their IDs: --all, --latest,
// --filter, --cidfile, --ignore. They mean containers of images; those of bundles belong to whoever
// made them by the OCI verbs.

#include <functional>
#include <string>
#include <vector>

#include "cli/verb.h"
#include "knarr/engine.h"

namespace knarr::cli {

inline constexpr Option kAllOption{
    .name = "all",
    .letter = 'a',
    .help = "instead of an ID: all containers of images that it can be done to"};
inline constexpr Option kLatestOption{
    .name = "latest", .letter = 'l', .help = "instead of an ID: the newest container of an image"};
inline constexpr Option kFilterOption{.name = "filter",
                                      .letter = 'f',
                                      .value = "KEY=VALUE",
                                      .help = "only those, as of `ps`; without ID of all",
                                      .repeatable = true};
inline constexpr Option kCidfileOption{.name = "cidfile",
                                       .value = "FILE",
                                       .help = "one more: whose ID FILE has, as `run` writes it",
                                       .repeatable = true};
inline constexpr Option kIgnoreOption{
    .name = "ignore", .letter = 'i', .help = "one that is not there, or its FILE, is no error"};

struct Chosen {
    std::vector<std::string> names;  // what was typed; of others, whole IDs
    bool one_by_one = true;          // each was named: one that is not there any more is an error
};
/// Those that the command line means; --all and --filter without ID mean those that `fit`.
/// Errors: invalid_argument where none is named, or what contradicts each other; not_found.
Result<Chosen> choose(const Engine& engine,
                      const Parsed& args,
                      bool (*fit)(const ContainerInfo& info));
/// for_each_of() those. What is gone, or does not fit any more, when its turn comes is no error
/// where it was not named.
Result<int> for_each_chosen(const Context& context,
                            const Engine& engine,
                            const Parsed& args,
                            bool (*fit)(const ContainerInfo& info),
                            const std::function<Result<>(std::string_view id)>& work);
/// What becomes of a failure there: none where it is no error.
Result<> unless_gone(const Engine& engine,
                     const Parsed& args,
                     const Chosen& chosen,
                     bool (*fit)(const ContainerInfo& info),
                     std::string_view id,
                     Result<> done);

/// Takes the container's name from what is left of a command line: the first argument, or with
/// --latest the newest one. Errors: invalid_argument where none is named; not_found.
Result<std::string> take_container(const Engine& engine,
                                   const Parsed& args,
                                   std::vector<std::string_view>& words);
/// The same where nothing else may be left. Errors: also for a second one.
Result<std::string> only_container(const Engine& engine, const Parsed& args);

}  // namespace knarr::cli
