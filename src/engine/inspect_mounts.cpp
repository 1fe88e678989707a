#include "engine/inspect_mounts.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "engine/container_data.h"
#include "engine/container_volumes.h"
#include "engine/volumes.h"

namespace knarr::engine {

namespace {

constexpr std::string_view kPrivate = "rprivate";  // what docker has where nobody says

/// What --mount said of it; null where it was asked for otherwise.
const AskedMount* asked_mount(const Record& record, const spec::Mount& mount) {
    if (!record.life || !record.life->asked) {
        return nullptr;
    }
    const auto& mounts = record.life->asked->mounts;
    const auto at = std::ranges::find(mounts, mount.destination, &AskedMount::target);
    return at == mounts.end() ? nullptr : &*at;
}

std::string volume_of(const Record& record, const spec::Mount& mount) {
    return volume_shown_by(data_root_of(record.data_dir), mount.source);
}

/// docker's word; `volume` is the name of the one that it shows, empty: none.
std::string_view type_of(const spec::Mount& mount, const std::string& volume) {
    return mount.type == "tmpfs" ? "tmpfs" : volume.empty() ? "bind" : "volume";
}

bool is_anonymous(const Record& record, const std::string& volume) {
    return record.life &&
           std::ranges::find(record.life->volumes, volume) != record.life->volumes.end();
}

std::string_view propagation_of(const spec::Mount& mount) {
    const auto at = std::ranges::find_if(mount.options, [](const auto& option) {
        return option.ends_with("private") || option.ends_with("shared") ||
               option.ends_with("slave");
    });
    return at == mount.options.end() ? kPrivate : std::string_view(*at);
}

/// Of a tmpfs: the number behind `name`, "size=" in bytes or "mode=" in octal.
std::optional<std::uint64_t> number_of(const spec::Mount& mount, std::string_view name, int base) {
    const auto at = std::ranges::find_if(
        mount.options, [&](const auto& option) { return option.starts_with(name); });
    if (at == mount.options.end()) {
        return std::nullopt;
    }
    std::uint64_t number = 0;
    const char* const end = at->data() + at->size();
    const auto read = std::from_chars(at->data() + name.size(), end, number, base);
    return read.ptr == end ? std::optional(number) : std::nullopt;
}

void write_bind_options(spec::JsonWriter& json, const spec::Mount& mount) {
    const std::string_view propagation = propagation_of(mount);
    const bool recursive = has_option(mount, "rbind");
    if (propagation == kPrivate && recursive) {
        return;
    }
    json.key("BindOptions").begin_object();
    if (propagation != kPrivate) {
        json.member("Propagation", propagation);
    }
    if (!recursive) {
        json.member("NonRecursive", true);
    }
    json.end_object();
}

void write_volume_options(spec::JsonWriter& json, const AskedMount& asked) {
    if (!asked.no_copy && asked.labels.empty()) {
        return;
    }
    json.key("VolumeOptions").begin_object();
    if (asked.no_copy) {
        json.member("NoCopy", true);
    }
    if (!asked.labels.empty()) {
        json.member("Labels", asked.labels);
    }
    json.end_object();
}

void write_tmpfs_options(spec::JsonWriter& json, const spec::Mount& mount) {
    const auto size = number_of(mount, "size=", 10);
    const auto mode = number_of(mount, "mode=", 8);
    if (!size && !mode) {
        return;
    }
    json.key("TmpfsOptions").begin_object();
    if (size) {
        json.member("SizeBytes", *size);
    }
    if (mode) {
        json.member("Mode", *mode);
    }
    json.end_object();
}

/// docker's mount.Mount, which leaves out what is empty.
void write_asked_mount(spec::JsonWriter& json,
                       const Record& record,
                       const spec::Mount& mount,
                       const AskedMount& asked) {
    const bool is_tmpfs = mount.type == "tmpfs";
    const std::string volume = is_tmpfs ? std::string() : volume_of(record, mount);
    json.begin_object().member("Type", type_of(mount, volume));
    if (!is_tmpfs && !is_anonymous(record, volume)) {
        json.member("Source", volume.empty() ? mount.source : volume);
    }
    json.member("Target", mount.destination);
    if (!is_writable(mount)) {
        json.member("ReadOnly", true);
    }
    if (is_tmpfs) {
        write_tmpfs_options(json, mount);
    } else if (volume.empty()) {
        write_bind_options(json, mount);
    } else {
        write_volume_options(json, asked);
    }
    json.end_object();
}

void write_mount_point(spec::JsonWriter& json, const Record& record, const spec::Mount& mount) {
    const bool is_tmpfs = mount.type == "tmpfs";
    const std::string volume = is_tmpfs ? std::string() : volume_of(record, mount);
    json.begin_object();
    json.member("Type", type_of(mount, volume));
    if (!volume.empty()) {
        json.member("Name", volume).member("Driver", "local");
    }
    json.member("Source", is_tmpfs ? "" : std::string_view(mount.source));
    json.member("Destination", mount.destination);
    // docker's Mode is what stands behind the second colon of -v.
    const bool says_mode = !is_writable(mount) && asked_mount(record, mount) == nullptr;
    json.member("Mode", says_mode ? "ro" : "").member("RW", is_writable(mount));
    json.member("Propagation",
                is_tmpfs || !volume.empty() ? std::string_view() : propagation_of(mount));
    json.end_object();
}

}  // namespace

bool is_by_mount(const Record& record, const spec::Mount& mount) {
    return mount.type == "tmpfs" && asked_mount(record, mount) != nullptr;
}

void write_mounts(spec::JsonWriter& json, const Record& record, const spec::RuntimeConfig& config) {
    json.key("Mounts").begin_array();
    for (const spec::Mount& mount : config.mounts) {
        if (is_asked_for(mount, record.data_dir) || is_by_mount(record, mount)) {
            write_mount_point(json, record, mount);
        }
    }
    json.end_array();
}

void write_asked_mounts(spec::JsonWriter& json,
                        const Record& record,
                        const spec::RuntimeConfig& config) {
    std::vector<std::string> binds;
    for (const spec::Mount& mount : config.mounts) {
        if (!is_asked_for(mount, record.data_dir) || asked_mount(record, mount) != nullptr) {
            continue;
        }
        const std::string volume = volume_of(record, mount);
        if (!is_anonymous(record, volume)) {
            binds.push_back(fmt::format("{}:{}:{}",
                                        volume.empty() ? mount.source : volume,
                                        mount.destination,
                                        is_writable(mount) ? "rw" : "ro"));
        }
    }
    json.member("Binds", binds);
    if (!record.life || !record.life->asked || record.life->asked->mounts.empty()) {
        return;
    }
    json.key("Mounts").begin_array();
    for (const spec::Mount& mount : config.mounts) {
        const AskedMount* const asked = asked_mount(record, mount);
        if (asked != nullptr && (mount.type == "tmpfs" || is_asked_for(mount, record.data_dir))) {
            write_asked_mount(json, record, mount, *asked);
        }
    }
    json.end_array();
}

}  // namespace knarr::engine
