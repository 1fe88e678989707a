#include "cli/mount_option.h"

#include <map>
#include <vector>

#include "cli/key_value.h"
#include "cli/volume.h"
#include "cli/volume_filter.h"
#include "core/text.h"

namespace knarr::cli {

namespace {

/// The fields of one --mount, by docker's main name for each.
class Fields {
public:
    static Result<Fields> parse(std::string_view text) {
        static const std::map<std::string_view, std::string_view> kNames{
            {"type", "type"},
            {"source", "source"},
            {"src", "source"},
            {"target", "target"},
            {"destination", "target"},
            {"dst", "target"},
            {"readonly", "readonly"},
            {"ro", "readonly"},
            {"bind-propagation", "bind-propagation"},
            {"bind-nonrecursive", "bind-nonrecursive"},
            {"bind-recursive", "bind-recursive"},
            {"volume-nocopy", "volume-nocopy"},
            {"volume-driver", "volume-driver"},
            {"volume-label", "volume-label"},
            {"tmpfs-size", "tmpfs-size"},
            {"tmpfs-mode", "tmpfs-mode"},
        };
        Fields fields;
        fields.text_ = text;
        for (const std::string_view part : split(text, ',')) {
            const std::size_t equals = part.find('=');
            const auto name = kNames.find(part.substr(0, equals));
            if (name == kNames.end()) {
                return fail(Error{
                    .code = Errc::invalid_argument,
                    .message = fmt::format(
                        "--mount \"{}\": \"{}\" is not known", printable(text), printable(part)),
                    .hint = "type, source, target, readonly, bind-propagation, bind-recursive, "
                            "bind-nonrecursive, volume-nocopy, volume-label, volume-driver, "
                            "tmpfs-size and tmpfs-mode are"});
            }
            // A word alone is a switch that is on.
            const std::string_view value =
                equals == std::string_view::npos ? "true" : part.substr(equals + 1);
            if (name->second == "volume-label") {
                fields.labels_.push_back(value);
            } else if (!fields.values_.emplace(name->second, value).second) {
                return fields.bad(fmt::format("{} is given twice", name->second));
            }
        }
        return fields;
    }

    std::string_view get(std::string_view name) const {
        const auto at = values_.find(name);
        return at == values_.end() ? std::string_view{} : at->second;
    }
    Result<bool> flag(std::string_view name) const {
        const auto at = values_.find(name);
        const std::string_view value = at == values_.end() ? "false" : std::string_view(at->second);
        if (value == "false" || value == "0") {
            return false;
        }
        if (value == "true" || value == "1") {
            return true;
        }
        return bad(fmt::format("{} is true or false", name));
    }
    /// Errors: invalid_argument for a field of another type of mount.
    Result<> only(std::string_view prefix) const {
        if (!labels_.empty() && prefix != "volume") {
            return bad(fmt::format("volume-label is not for type {}", prefix));
        }
        for (const auto& [name, value] : values_) {
            const std::size_t dash = name.find('-');
            if (dash != std::string_view::npos && name.substr(0, dash) != prefix) {
                return bad(fmt::format("{} is not for type {}", name, prefix));
            }
        }
        return {};
    }
    const std::vector<std::string_view>& labels() const { return labels_; }
    std::unexpected<Error> bad(std::string_view why) const {
        return fail(Errc::invalid_argument, "--mount \"{}\": {}", printable(text_), why);
    }

private:
    std::string_view text_;
    std::map<std::string_view, std::string_view> values_;
    std::vector<std::string_view> labels_;
};

Result<TmpfsRequest> make_tmpfs(const Fields& fields) {
    TmpfsRequest out{.target = std::string(fields.get("target")), .options = {}};
    if (!fields.get("source").empty()) {
        return fields.bad("a tmpfs has no source");
    }
    if (const std::string_view size = fields.get("tmpfs-size"); !size.empty()) {
        out.options.push_back(
            fmt::format("size={}", KNARR_TRY(parse_size(size, "--mount tmpfs-size"))));
    }
    if (const std::string_view mode = fields.get("tmpfs-mode"); !mode.empty()) {
        if (mode.size() > 5 || mode.find_first_not_of("01234567") != std::string_view::npos) {
            return fields.bad("tmpfs-mode is octal, as 1777");
        }
        out.options.push_back(fmt::format("mode={}", mode));
    }
    if (KNARR_TRY(fields.flag("readonly"))) {
        out.options.emplace_back("ro");
    }
    return out;
}

/// With the mounts below the source? docker's newer word for it, and its older one.
Result<bool> is_recursive(const Fields& fields, bool read_only) {
    const std::string_view value = fields.get("bind-recursive");
    if (KNARR_TRY(fields.flag("bind-nonrecursive"))) {
        return value.empty() || value == "disabled"
                   ? Result<bool>(false)
                   : fields.bad("bind-nonrecursive and bind-recursive contradict each other");
    }
    if (value == "disabled") {
        return false;
    }
    if (value == "readonly" && !read_only) {
        return fields.bad("bind-recursive=readonly needs readonly");
    }
    if (value == "writable") {
        return fail(Error{.code = Errc::unsupported,
                          .message = "--mount: bind-recursive=writable is not built: what is "
                                     "read-only is so with all mounts below",
                          .hint = "leave readonly out, or bind-recursive=disabled"});
    }
    if (!value.empty() && value != "enabled" && value != "readonly") {
        return fields.bad("bind-recursive is enabled, disabled, writable or readonly");
    }
    return true;
}

Result<VolumeRequest> make_volume(const Fields& fields, std::string_view type) {
    VolumeRequest out;
    out.source = fields.get("source");
    out.target = fields.get("target");
    out.read_only = KNARR_TRY(fields.flag("readonly"));
    if (type == "bind") {
        if (!out.source.starts_with('/') && !out.source.starts_with('.')) {
            return fields.bad("the source of a bind is a path, absolute or beginning with .");
        }
        out.propagation = fields.get("bind-propagation");
        if (!out.propagation.empty() && !is_propagation(out.propagation)) {
            return fields.bad(
                fmt::format("\"{}\" is no propagation: rprivate, rslave, rshared, ...",
                            printable(out.propagation)));
        }
        out.recursive = KNARR_TRY(is_recursive(fields, out.read_only));
        return out;
    }
    out.kind = VolumeKind::volume;
    out.no_copy = KNARR_TRY(fields.flag("volume-nocopy"));
    for (const std::string_view label : fields.labels()) {
        const auto [key, value] =
            KNARR_TRY(parse_key_value(label, "--mount volume-label", Bare::allowed));
        out.labels[key] = value;
    }
    const std::string_view driver = fields.get("volume-driver");
    KNARR_TRY(check_volume_driver(driver.empty() ? "local" : driver), "--mount");
    return out;
}

}  // namespace

Result<ParsedMount> parse_mount(std::string_view text) {
    const Fields fields = KNARR_TRY(Fields::parse(text));
    const std::string_view type = fields.get("type").empty() ? "volume" : fields.get("type");
    if (!fields.get("target").starts_with('/')) {
        return fields.bad("target is an absolute path in the container");
    }
    if (type != "bind" && type != "volume" && type != "tmpfs") {
        return fields.bad("type is bind, volume or tmpfs");
    }
    KNARR_TRY(fields.only(type));
    ParsedMount out;
    if (type == "tmpfs") {
        out.tmpfs = KNARR_TRY(make_tmpfs(fields));
        out.tmpfs->by_mount = true;
    } else {
        out.volume = KNARR_TRY(make_volume(fields, type));
        out.volume->by_mount = true;
    }
    return out;
}

}  // namespace knarr::cli
