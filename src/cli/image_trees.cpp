// image diff, rootfs and export: what is in the root file systems of stored images.

#include "engine/image_trees.h"

#include <array>

#include "cli/containers.h"
#include "cli/image_verbs.h"
#include "core/text.h"
#include "platform/task.h"

namespace knarr::cli {

namespace {

constexpr std::array kDiffOptions{
    Option{.name = "json", .help = "print JSON"},
    Option{.name = "format", .value = "FORMAT", .help = "table or json", .fallback = "table"},
};

Result<int> run_diff(Context& context, const Parsed& args) {
    if (args.positionals.empty() || args.positionals.size() > 2) {
        return fail(Errc::invalid_argument, "IMAGE is wanted, or two of them");
    }
    const ListFormat format = KNARR_TRY(list_format(args));
    const std::string root = KNARR_TRY(sys::absolute(context.globals.data_root));
    const auto other = args.positionals.size() == 2
                           ? std::optional<std::string_view>(args.positionals[1])
                           : std::nullopt;
    const auto changes = KNARR_TRY(engine::image_changes(root, args.positionals[0], other));
    std::string text;
    for (const engine::Change& change : changes) {
        text += fmt::format("{} {}\n", change.kind, printable(change.path, 4096));
    }
    KNARR_TRY(print(format == ListFormat::json ? changes_json(changes) : text));
    return 0;
}

Result<int> run_rootfs(Context& context, const Parsed& args) {
    if (args.positionals.size() != 2) {
        return fail(Errc::invalid_argument, "IMAGE and DIR are wanted");
    }
    const std::string root = KNARR_TRY(sys::absolute(context.globals.data_root));
    const std::string directory = KNARR_TRY(sys::absolute(std::string(args.positionals[1])));
    KNARR_TRY(engine::write_rootfs(root, args.positionals[0], directory));
    KNARR_TRY(print(directory + "\n"));
    return 0;
}

constexpr std::array kExportOptions{kTarOutputOption};

Result<int> run_image_export(Context& context, const Parsed& args) {
    const std::string_view name = KNARR_TRY(one_argument(args, "IMAGE"));
    const std::string path = KNARR_TRY(tar_output(args));
    const std::string root = KNARR_TRY(sys::absolute(context.globals.data_root));
    KNARR_TRY(engine::export_image(root, name, path), "export of image {}", printable(name));
    return 0;
}

}  // namespace

constexpr Verb kImageDiff{
    .name = "diff",
    .synopsis = "[options] IMAGE [OTHER]",
    .summary = "list what an image has otherwise than another one",
    .about =
        "Prints a line for each path that IMAGE has otherwise than OTHER: A added, C changed, D\n"
        "deleted; without OTHER, otherwise than its own lower layers. Files are compared by type,\n"
        "owner, mode, extended attributes and content, not by their times.",
    .example = "knarr image diff web:2 web:1",
    .options = kDiffOptions,
    .run = run_diff,
};

constexpr Verb kImageExport{
    .name = "export",
    .synopsis = "[--output FILE] IMAGE",
    .summary = "write an image's root file system as a tar",
    .about =
        "Writes all files of a stored image, its layers one over the other, with owners, modes,\n"
        "times, hard links, devices and extended attributes, as `knarr export` does for a\n"
        "container; `knarr import` makes an image of it. `save` keeps the layers and the "
        "configuration.",
    .example = "knarr image export -o busybox.tar busybox",
    .options = kExportOptions,
    .run = run_image_export,
};

constexpr Verb kImageRootfs{
    .name = "rootfs",
    .synopsis = "IMAGE DIR",
    .summary = "copy an image's root file system into a directory",
    .about =
        "Copies all files of a stored image into DIR, which is made or must be empty, with "
        "owners,\n"
        "modes, times, links, devices and extended attributes, and prints where it is. Programs "
        "in\n"
        "it may have the set-user-ID bit: choose a place that only root can enter.",
    .example = "knarr image rootfs busybox /root/box/rootfs",
    .run = run_rootfs,
};

}  // namespace knarr::cli
