// image mount and unmount: stored images as directories of the host.

#include <array>

#include "cli/containers.h"
#include "cli/image_verbs.h"
#include "cli/table.h"
#include "core/text.h"
#include "engine/image_mounts.h"
#include "image/reference.h"
#include "spec/json_writer.h"

namespace knarr::cli {

namespace {

using engine::MountedImage;
using engine::UnmountMode;

constexpr std::array kMountOptions{
    Option{.name = "all", .letter = 'a', .help = "mount all stored images"},
    Option{.name = "json", .help = "print JSON"},
    Option{.name = "format",
           .value = "FORMAT",
           .help = "of the list: table or json",
           .fallback = "table"},
};

std::string mounts_json(const std::vector<MountedImage>& mounts) {
    spec::JsonWriter json(spec::JsonLayout::indented);
    json.begin_array();
    for (const MountedImage& mount : mounts) {
        json.begin_object().member("id", mount.id).member("Repositories", mount.references);
        json.member("mountpoint", mount.path).member("Mounts", mount.mounts).end_object();
    }
    json.end_array();
    return std::move(json).text() + "\n";
}

Result<int> list_mounts(Context& context, const Parsed& args) {
    const ListFormat format = KNARR_TRY(list_format(args));
    const std::vector<MountedImage> mounts =
        KNARR_TRY(engine::mounted_images(context.globals.data_root));
    if (format == ListFormat::json) {
        KNARR_TRY(print(mounts_json(mounts)));
        return 0;
    }
    std::vector<std::vector<std::string>> rows{{"IMAGE ID", "MOUNTS", "NAME", "PATH"}};
    for (const MountedImage& mount : mounts) {
        rows.push_back({shown_id(mount.id, false),
                        fmt::format("{}", mount.mounts),
                        mount.references.empty()
                            ? "<none>"
                            : image::familiar_reference(mount.references.front()),
                        mount.path});
    }
    KNARR_TRY(print(format_table(rows)));
    return 0;
}

Result<int> run_mount(Context& context, const Parsed& args) {
    if (args.flag("all") && !args.positionals.empty()) {
        return fail(Errc::invalid_argument, "--all, or IMAGE: not both");
    }
    if (!args.flag("all") && args.positionals.empty()) {
        return list_mounts(context, args);
    }
    if (args.flag("json") || args.has("format")) {
        return fail(Errc::invalid_argument, "--json and --format are for the list, without IMAGE");
    }
    const std::string& data_root = context.globals.data_root;
    std::vector<std::string> names(args.positionals.begin(), args.positionals.end());
    if (args.flag("all")) {
        const Engine engine = KNARR_TRY(open_engine(context));
        for (const ImageSummary& image : KNARR_TRY(engine.images())) {
            names.push_back(image.id);
        }
    }
    std::string text;
    for (const std::string& name : names) {
        const Result<std::string> path = engine::mount_image(data_root, name);
        if (!path) {
            KNARR_TRY(print(text));  // what was mounted is mounted
            return fail(path.error());
        }
        // Of one image the path alone: for scripts, as podman has it.
        text += args.positionals.size() == 1 ? *path + "\n"
                                             : fmt::format("{} {}\n", printable(name, 1024), *path);
    }
    KNARR_TRY(print(text));
    return 0;
}

constexpr std::array<std::string_view, 1> kUnmountAliases{"umount"};
constexpr std::array kUnmountOptions{
    Option{.name = "all", .letter = 'a', .help = "all that are mounted, however often"},
    Option{.name = "force",
           .letter = 'f',
           .help = "however often it was mounted, and also when something in it is in use"},
};

Result<int> run_unmount(Context& context, const Parsed& args) {
    if (args.flag("all") && !args.positionals.empty()) {
        return fail(Errc::invalid_argument, "--all, or IMAGE: not both");
    }
    if (!args.flag("all") && args.positionals.empty()) {
        return fail(Errc::invalid_argument, "which one? IMAGE is missing");
    }
    const std::string& data_root = context.globals.data_root;
    std::vector<std::string> names(args.positionals.begin(), args.positionals.end());
    UnmountMode mode = UnmountMode::one;
    if (args.flag("all")) {
        mode = UnmountMode::all;
        for (const MountedImage& mount : KNARR_TRY(engine::mounted_images(data_root))) {
            names.push_back(mount.id);
        }
    }
    mode = args.flag("force") ? UnmountMode::force : mode;
    for (const std::string& name : names) {
        const std::string id = KNARR_TRY(engine::unmount_image(data_root, name, mode));
        KNARR_TRY(print(id + "\n"));
    }
    return 0;
}

}  // namespace

constexpr Verb kImageMount{
    .name = "mount",
    .synopsis = "[options] [IMAGE...]",
    .summary = "show an image's files in a directory of the host",
    .about =
        "Mounts the root file system of a stored image and prints where: read-only, without\n"
        "devices and set-user-ID, in a directory that only root can enter. Mounting it again\n"
        "gives the same place and counts; the image stays as long as it is mounted. Without\n"
        "IMAGE the mounted ones are listed. A reboot ends all of them.",
    .example = "knarr image mount busybox",
    .options = kMountOptions,
    .run = run_mount,
};

constexpr Verb kImageUnmount{
    .name = "unmount",
    .aliases = kUnmountAliases,
    .synopsis = "[options] IMAGE...\n--all [--force]",
    .summary = "end what image mount did",
    .about =
        "Takes back one mount of each image; the last one unmounts it. Something that is in use\n"
        "below it is an error without --force.",
    .example = "knarr image unmount busybox",
    .options = kUnmountOptions,
    .run = run_unmount,
};

}  // namespace knarr::cli
