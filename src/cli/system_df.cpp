// system df: what images, containers and volumes take, in docker's rows.

#include <algorithm>
#include <array>

#include "cli/container_filter.h"
#include "cli/containers.h"
#include "cli/docker_verbs.h"
#include "cli/image_name.h"
#include "cli/image_verbs.h"
#include "cli/moment.h"
#include "cli/ps_containers.h"
#include "cli/row_format.h"
#include "cli/table.h"
#include "cli/volume_filter.h"
#include "platform/task.h"
#include "spec/json_writer.h"

namespace knarr::cli {

namespace {

constexpr int kDigits = 4;  // docker's, here

constexpr std::array kOptions{
    Option{.name = "verbose", .letter = 'v', .help = "each image, container and volume"},
    Option{.name = "format",
           .value = "FORMAT",
           .help = "table, json, or a template; with -v of .Images, .Containers, .Volumes",
           .fallback = "table"},
};

constexpr std::string_view kHeadings =
    R"({"Type":"TYPE","TotalCount":"TOTAL","Active":"ACTIVE","Size":"SIZE",)"
    R"("Reclaimable":"RECLAIMABLE"})";
constexpr std::string_view kColumns =
    "table {{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}";
constexpr std::string_view kContainerHeadings =
    R"({"ID":"CONTAINER ID","Image":"IMAGE","Command":"COMMAND","LocalVolumes":"LOCAL VOLUMES",)"
    R"("Size":"SIZE","RunningFor":"CREATED","Status":"STATUS","Names":"NAMES"})";
constexpr std::string_view kContainerColumns =
    "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t"
    "{{.Status}}\t{{.Names}}";
constexpr std::string_view kVolumeHeadings =
    R"({"Name":"VOLUME NAME","Links":"LINKS","Size":"SIZE"})";
constexpr std::string_view kVolumeColumns = "table {{.Name}}\t{{.Links}}\t{{.Size}}";

/// One row. Where something could not be measured, there is no number for the whole.
struct Room {
    std::size_t total = 0, active = 0;
    std::uint64_t bytes = 0, reclaimable = 0;
    bool is_known = true;

    void add(bool is_active, std::optional<std::uint64_t> size) {
        ++total;
        active += is_active ? 1 : 0;
        bytes += size.value_or(0);
        reclaimable += is_active ? 0 : size.value_or(0);
        is_known = is_known && size;
    }
    std::string row(std::string_view type) const {
        std::string back = is_known ? decimal_size(reclaimable, kDigits) : "N/A";
        if (is_known && bytes > 0) {
            constexpr double kPercent = 100;
            back += fmt::format(" ({}%)",
                                static_cast<int>(kPercent * static_cast<double>(reclaimable) /
                                                 static_cast<double>(bytes)));
        }
        spec::JsonWriter json;
        json.begin_object().member("Active", fmt::format("{}", active));
        json.member("Reclaimable", back);
        json.member("Size", is_known ? decimal_size(bytes, kDigits) : "N/A");
        json.member("TotalCount", fmt::format("{}", total)).member("Type", type).end_object();
        return std::move(json).text();
    }
};

/// A kind of things: its row, and one JSON object for each of them.
struct Kind {
    Room room;
    std::vector<std::string> each;
};

Room room_of(const StoreUsage& usage) {
    Room room{.total = usage.images.total, .active = usage.images.active};
    for (const UsageLine& line : {usage.images, usage.layers, usage.garbage}) {
        room.bytes += line.bytes;
        room.reclaimable += line.reclaimable;
    }
    return room;
}

Kind images_of(const StoreUsage& usage) {
    Kind images{.room = room_of(usage), .each = {}};
    for (const ImageUsage& one : usage.each) {
        for (const std::string& reference : one.image.references) {
            const auto [repository, tag] = split_reference(reference);
            spec::JsonWriter json;
            json.begin_object().member("Containers", fmt::format("{}", one.containers));
            json.member("CreatedAt", go_time(seconds_of(one.image.created)));
            json.member("CreatedSince", ago(seconds_of(one.image.created), now_s()));
            json.member("ID", one.image.id).member("Repository", repository);
            json.member("SharedSize", decimal_size(one.shared, kDigits));
            json.member("Size", decimal_size(one.image.size)).member("Tag", tag);
            json.member("UniqueSize", decimal_size(one.unique, kDigits)).end_object();
            images.each.push_back(std::move(json).text());
        }
    }
    return images;
}

/// Those of images: what they wrote. One of a bundle has no files of ours.
Result<Kind> containers_of(const Engine& engine, bool whole) {
    Kind containers;
    std::vector<ContainerInfo> all = KNARR_TRY(engine.list());
    std::erase_if(
        all, [](const ContainerInfo& info) { return info.image.empty() && info.damage.empty(); });
    const std::vector<std::string> ids = short_ids(all);
    for (std::size_t i = 0; i < all.size(); ++i) {
        const ContainerInfo& info = all[i];
        const std::string_view state = docker_state(info);
        const auto inspected = engine.inspect(info.id, Sizes::shown);
        const auto read = inspected ? read_details(*inspected) : fail(inspected.error());
        ContainerDetails details = read ? *read : ContainerDetails{};
        details.root_bytes.reset();  // as docker's: the image's are among the images
        containers.room.add(state == "running" || state == "paused" || state == "restarting",
                            details.written_bytes);
        const ShownNames shown{
            .id = whole ? info.id : ids[i], .image = shown_image(info, whole), .whole = whole};
        containers.each.push_back(ps_json(info, shown, now_s(), details));
    }
    return containers;
}

Result<Kind> volumes_of(const Context& context) {
    const std::string root = KNARR_TRY(sys::absolute(context.globals.data_root));
    const auto users = KNARR_TRY(engine::users_of_volumes(root));
    Kind volumes;
    for (const engine::VolumeInfo& volume : KNARR_TRY(engine::list_volumes(root))) {
        const auto used = users.find(volume.name);
        const std::size_t links = used == users.end() ? 0 : used->second.size();
        const Result<std::uint64_t> bytes = engine::volume_bytes(root, volume.name);
        volumes.room.add(links > 0, bytes ? std::optional(*bytes) : std::nullopt);
        volumes.each.push_back(
            volume_line_json(volume,
                             {.links = fmt::format("{}", links),
                              .size = bytes ? decimal_size(*bytes, kDigits) : "N/A"}));
    }
    return volumes;
}

Result<std::string> as_table(std::string_view columns,
                             std::string_view headings,
                             const std::vector<std::string>& each) {
    RowFormat rows = KNARR_TRY(RowFormat::parse(columns, headings));
    for (const std::string& one : each) {
        KNARR_TRY(rows.add(one));
    }
    return std::move(rows).text();
}

constexpr std::string_view kNoCache =
    "CACHE ID   CACHE TYPE   SIZE      CREATED   LAST USED   USAGE     SHARED\n";

Result<int> run_df(Context& context, const Parsed& args) {
    KNARR_TRY(no_arguments(args));
    const std::string_view format = args.get("format", "table");
    const bool table = format == "table";
    const Engine engine = KNARR_TRY(open_engine(context));
    const StoreUsage usage = KNARR_TRY(engine.image_usage());
    const Kind images = images_of(usage);
    const Kind containers = KNARR_TRY(containers_of(engine, !table));
    const Kind volumes = KNARR_TRY(volumes_of(context));
    std::string text;
    if (!args.flag("verbose")) {
        text = KNARR_TRY(as_table(table ? kColumns : format,
                                  kHeadings,
                                  {images.room.row("Images"),
                                   containers.room.row("Containers"),
                                   volumes.room.row("Local Volumes"),
                                   Room{}.row("Build Cache")}));
    } else if (table) {
        const std::string of_containers =
            KNARR_TRY(as_table(kContainerColumns, kContainerHeadings, containers.each));
        const std::string of_volumes =
            KNARR_TRY(as_table(kVolumeColumns, kVolumeHeadings, volumes.each));
        text = fmt::format(
            "Images space usage:\n\n{}\nContainers space usage:\n\n{}\n"
            "Local Volumes space usage:\n\n{}\nBuild cache usage: 0B\n\n{}",
            each_image_table(usage),
            of_containers,
            of_volumes,
            kNoCache);
    } else {
        const std::string all =
            fmt::format(R"({{"BuildCache":[],"Containers":[{}],"Images":[{}],"Volumes":[{}]}})",
                        fmt::join(containers.each, ","),
                        fmt::join(images.each, ","),
                        fmt::join(volumes.each, ","));
        text = KNARR_TRY(as_table(format, "{}", {all}));
    }
    KNARR_TRY(print(text));
    return 0;
}

}  // namespace

constexpr Verb kSystemDf{
    .name = "df",
    .synopsis = "[options]",
    .summary = "print how much room images, containers and volumes take",
    .about =
        "Prints docker's rows: how many there are, how many are in use, their bytes, and what\n"
        "removing the others would give back. Images are their blobs, what is unpacked of them, "
        "and\n"
        "what no image needs any more (`image df` tells them apart); containers are what they "
        "wrote.\n"
        "N/A: not all could be measured. Nothing builds, so that the build cache is empty.",
    .example = "knarr system df -v",
    .options = kOptions,
    .run = run_df,
};

}  // namespace knarr::cli
