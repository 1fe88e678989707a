#pragma once
// `knarr run` is two things: runc's run of a bundle and podman's run of an image. The options that
// each has, and which of the two a command line means.

#include <span>
#include <string>

#include "cli/verb.h"

namespace knarr::cli {

/// All options of `run`: those of a bundle, those of an image, those of both.
std::span<const Option> run_options();

/// Those of `plan`: the same, and its own.
std::span<const Option> plan_options();

/// Those of `create`: the same without what is about being in front of the caller.
std::span<const Option> create_options();

enum class RunWay : std::uint8_t { bundle, image };

/// What the current directory is, by its config.json.
enum class Here : std::uint8_t {
    no_bundle,      ///< it has none, or that of something else
    bundle,         ///< it has an ociVersion
    broken_bundle,  ///< it has none, or cannot be read; but a root file system lies beside it
};

/// Which of the two a command line means:
/// --bundle is given, or another option that only bundles have: the bundle;
/// else exactly one positional, no option that only images have, and the current directory is a
/// bundle, also a broken one: the bundle, as with runc, and an error about its config.json;
/// else the image.
/// Errors: invalid_argument for options of both sorts.
Result<RunWay> which_run(const Parsed& args, Here here);
/// The exit status where that is not clear: docker's, but with --bundle runc's, which is 0 here (as
/// the error has it).
int status_of_neither(const Parsed& args);
/// which_run() in the current directory, and that status where it fails.
Result<RunWay> which_run_here(Context& context, const Parsed& args);
/// Whether a word of the command line is -b or --bundle: crun takes it behind the ID, too.
bool names_bundle(std::string_view word);

Here look_here();
/// The same of another directory.
Here look_for_bundle(const std::string& directory);

}  // namespace knarr::cli
