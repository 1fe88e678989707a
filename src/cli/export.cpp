#include "engine/export.h"

#include <array>

#include "cli/containers.h"
#include "cli/image_verbs.h"
#include "platform/standard_stream.h"
#include "platform/terminal.h"

namespace knarr::cli {

namespace {

constexpr std::array kOptions{kTarOutputOption};

Result<int> run_export(Context& context, const Parsed& args) {
    const std::string_view id = KNARR_TRY(one_argument(args, "container ID"));
    const std::string path = KNARR_TRY(tar_output(args));
    KNARR_TRY(engine::export_container(engine_options(context), id, path));
    return 0;
}

}  // namespace

Result<std::string> tar_output(const Parsed& args) {
    std::string path(args.get("output"));
    if (path.empty() && args.has("output")) {
        return fail(Errc::invalid_argument, "option --output is empty");
    }
    if (path.empty() && sys::is_terminal(sys::StandardStream(1).fd())) {
        return fail(Error{.code = Errc::invalid_argument,
                          .message = "a tar is nothing for a terminal",
                          .hint = "-o FILE, or redirect the output"});
    }
    return path;
}

constexpr Verb kExport{
    .name = "export",
    .synopsis = "[--output FILE] ID",
    .summary = "write a container's root file system as a tar",
    .about =
        "Writes all files of a container, with owners, modes, times, hard links, devices and\n"
        "extended attributes, as docker and podman do; `knarr import` makes an image of it.\n"
        "Volumes and other mounts are not in it. A running container goes on meanwhile.",
    .example = "knarr export -o web.tar web",
    .options = kOptions,
    .run = run_export,
};

}  // namespace knarr::cli
