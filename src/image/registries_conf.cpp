#include "image/registries_conf.h"

#include <algorithm>
#include <array>

#include "core/core.h"
#include "spec/toml.h"

namespace knarr::image {
namespace {

using spec::TomlKind;
using spec::TomlValue;

/// Reads the settings of one table.
class Settings {
public:
    Settings(const TomlValue& table, const std::string& path) : table_(table), path_(path) {}

    Error bad(const TomlValue& value, std::string_view why) const {
        return Error{.code = Errc::invalid_argument,
                     .message = fmt::format("{}: line {}: {}", path_, value.line, why),
                     .hint = "man containers-registries.conf says what may stand there"};
    }
    Result<std::string> text(std::string_view name) const {
        const TomlValue* value = table_.find(name);
        if (value == nullptr) {
            return std::string();
        }
        if (value->kind != TomlKind::text) {
            return fail(bad(*value, fmt::format("{} is no text", name)));
        }
        return value->text;
    }
    Result<bool> flag(std::string_view name) const {
        const TomlValue* value = table_.find(name);
        if (value == nullptr) {
            return false;
        }
        if (value->kind != TomlKind::boolean) {
            return fail(bad(*value, fmt::format("{} is neither true nor false", name)));
        }
        return value->boolean;
    }
    Result<const std::vector<TomlValue>*> tables(std::string_view name) const {
        static const std::vector<TomlValue> kNone;
        const TomlValue* value = table_.find(name);
        if (value == nullptr) {
            return &kNone;
        }
        if (value->kind != TomlKind::array ||
            !std::ranges::all_of(value->elements, [](const TomlValue& one) {
                return one.kind == TomlKind::table;
            })) {
            return fail(bad(*value, fmt::format("{} is to be written as [[{}]]", name, name)));
        }
        return &value->elements;
    }

private:
    const TomlValue& table_;
    const std::string& path_;
};

Result<MirrorEntry> parse_mirror(const TomlValue& table, const std::string& path, bool digests) {
    const Settings settings(table, path);
    MirrorEntry mirror{.location = KNARR_TRY(settings.text("location")),
                       .insecure = KNARR_TRY(settings.flag("insecure")),
                       .use = digests ? MirrorUse::digests : MirrorUse::all};
    const std::string use = KNARR_TRY(settings.text("pull-from-mirror"));
    if (mirror.location.empty()) {
        return fail(settings.bad(table, "a mirror has no location"));
    }
    if (use == "digest-only") {
        mirror.use = MirrorUse::digests;
    } else if (use == "tag-only") {
        mirror.use = MirrorUse::tags;
    } else if (!use.empty() && use != "all") {
        return fail(settings.bad(table,
                                 fmt::format("pull-from-mirror \"{}\" is neither all, digest-only "
                                             "nor tag-only",
                                             printable(use))));
    }
    return mirror;
}

Result<RegistryEntry> parse_entry(const TomlValue& table, const std::string& path) {
    const Settings settings(table, path);
    RegistryEntry entry{.prefix = KNARR_TRY(settings.text("prefix")),
                        .location = KNARR_TRY(settings.text("location")),
                        .insecure = KNARR_TRY(settings.flag("insecure")),
                        .blocked = KNARR_TRY(settings.flag("blocked"))};
    if (entry.prefix.empty()) {
        entry.prefix = entry.location;
    }
    while (entry.prefix.ends_with('/')) {
        entry.prefix.pop_back();
    }
    if (entry.prefix.empty()) {
        return fail(settings.bad(table, "a registry has neither prefix nor location"));
    }
    const bool digests = KNARR_TRY(settings.flag("mirror-by-digest-only"));
    const auto* mirrors = KNARR_TRY(settings.tables("mirror"));
    for (const TomlValue& mirror : *mirrors) {
        entry.mirrors.push_back(KNARR_TRY(parse_mirror(mirror, path, digests)));
    }
    return entry;
}

/// How much of `name` the prefix stands for; 0: it is not for it.
std::size_t match(const RegistryEntry& entry, std::string_view name, std::string_view domain) {
    std::string_view prefix = entry.prefix;
    if (prefix.starts_with("*.")) {
        prefix.remove_prefix(1);
        return domain.size() > prefix.size() && domain.ends_with(prefix) ? domain.size() : 0;
    }
    if (!name.starts_with(prefix)) {
        return 0;
    }
    // A colon behind a host is that of a port, and so of another registry.
    const bool in_registry = prefix.find('/') != std::string_view::npos;
    const char after = name.size() == prefix.size() ? '/' : name[prefix.size()];
    return after == '/' || (in_registry && (after == ':' || after == '@')) ? prefix.size() : 0;
}

}  // namespace

Result<std::vector<RegistryEntry>> parse_registries(std::string_view text,
                                                    const std::string& path) {
    const TomlValue root = KNARR_TRY(spec::parse_toml(text, path));
    if (const TomlValue* old = root.find("registries");
        old != nullptr && old->kind == TomlKind::table) {
        return fail(
            Settings(root, path)
                .bad(*old,
                     "[registries.search] is of version 1, which podman does not read either"));
    }
    std::vector<RegistryEntry> entries;
    const auto* tables = KNARR_TRY(Settings(root, path).tables("registry"));
    for (const TomlValue& table : *tables) {
        merge_registries(entries, {KNARR_TRY(parse_entry(table, path))});
    }
    return entries;
}

void merge_registries(std::vector<RegistryEntry>& all, std::vector<RegistryEntry> later) {
    for (RegistryEntry& entry : later) {
        const auto same = std::ranges::find(all, entry.prefix, &RegistryEntry::prefix);
        if (same == all.end()) {
            all.push_back(std::move(entry));
        } else {
            *same = std::move(entry);
        }
    }
}

const RegistryEntry* find_registry(const std::vector<RegistryEntry>& all,
                                   const Reference& reference) {
    const RegistryEntry* best = nullptr;
    std::size_t best_size = 0;
    for (const RegistryEntry& entry : all) {
        const bool fits = match(entry, reference.text(), reference.domain()) > 0;
        if (fits && entry.prefix.size() > best_size) {
            best = &entry;
            best_size = entry.prefix.size();
        }
    }
    return best;
}

Result<std::vector<RewrittenPlace>> rewrite(const RegistryEntry& entry,
                                            const Reference& reference,
                                            bool with_mirrors) {
    if (entry.blocked) {
        return fail(Error{.code = Errc::denied,
                          .message = fmt::format("registry {} is blocked by registries.conf",
                                                 printable(entry.prefix)),
                          .hint = "take blocked = true out, or use another registry"});
    }
    const std::string name = reference.name();
    const std::size_t matched =
        std::min(match(entry, reference.text(), reference.domain()), name.size());
    std::vector<RewrittenPlace> places;
    const auto add = [&](const std::string& location, bool insecure) -> Result<> {
        const std::string other = location.empty() ? name : location + name.substr(matched);
        const auto parsed = Reference::parse(other);
        if (!parsed || parsed->name() != other) {
            return fail(
                Error{.code = Errc::invalid_argument,
                      .message = fmt::format("registries.conf: location \"{}\" makes \"{}\" "
                                             "of {}, which is no name of an image",
                                             printable(location),
                                             printable(other),
                                             name),
                      .hint = "write it as HOST[:PORT][/PATH], without https://"});
        }
        places.push_back(
            {.registry = parsed->host(), .repository = parsed->repository(), .insecure = insecure});
        return {};
    };
    for (const MirrorEntry& mirror : entry.mirrors) {
        const MirrorUse other = reference.digest() ? MirrorUse::tags : MirrorUse::digests;
        if (with_mirrors && mirror.use != other) {
            KNARR_TRY(add(mirror.location, mirror.insecure));
        }
    }
    KNARR_TRY(add(entry.location, entry.insecure));
    return places;
}

}  // namespace knarr::image
