#include "image/short_names.h"

#include <algorithm>

#include "core/core.h"
#include "image/config_files.h"
#include "spec/toml.h"

namespace knarr::image {
namespace {

using spec::TomlKind;
using spec::TomlValue;

/// "busybox", ":1@sha256:...". A colon after the last slash starts the tag.
struct Parts {
    std::string_view name, rest;
};
Parts split_name(std::string_view text) {
    std::size_t end = std::min(text.find('@'), text.size());
    const std::size_t slash = text.substr(0, end).rfind('/');
    const std::size_t colon =
        text.substr(0, end).find(':', slash == std::string_view::npos ? 0 : slash);
    end = std::min(end, colon);
    return {.name = text.substr(0, end), .rest = text.substr(end)};
}

std::unexpected<Error> bad(const std::string& path, const TomlValue& value, std::string_view why) {
    return fail(Error{.code = Errc::invalid_argument,
                      .message = fmt::format("{}: line {}: {}", path, value.line, why),
                      .hint = "man containers-registries.conf says what may stand there"});
}

/// What stands before names: a host, with or without a path.
bool is_search_place(std::string_view text) {
    const std::string name = fmt::format("{}/x", text);
    return !text.empty() && !is_short_name(name) && Reference::parse(name);
}

Result<> add_search(ShortNames& names, const TomlValue& list, const std::string& path) {
    names.search.clear();
    if (list.kind != TomlKind::array) {
        return bad(path, list, "unqualified-search-registries is no array");
    }
    for (const TomlValue& one : list.elements) {
        if (one.kind != TomlKind::text || !is_search_place(one.text)) {
            return bad(
                path,
                one,
                fmt::format("\"{}\" is no registry to search: write it as HOST[:PORT][/PATH]",
                            printable(one.text)));
        }
        names.search.push_back(one.text);
    }
    return {};
}

Result<> add_aliases(ShortNames& names, const TomlValue& table, const std::string& path) {
    if (table.kind != TomlKind::table) {
        return bad(path, table, "aliases is to be written as [aliases]");
    }
    for (const spec::TomlMember& alias : table.members) {
        const TomlValue& value = alias.value;
        if (!is_short_name(alias.name) || split_name(alias.name).name != alias.name) {
            return bad(path,
                       value,
                       fmt::format("\"{}\" has a registry, a tag or a digest, which the name of an "
                                   "alias has not",
                                   printable(alias.name)));
        }
        if (value.kind == TomlKind::text && value.text.empty()) {
            names.aliases.erase(alias.name);
            continue;
        }
        if (value.kind != TomlKind::text || is_short_name(value.text) ||
            split_name(value.text).name != value.text || !Reference::parse(value.text)) {
            return bad(path,
                       value,
                       fmt::format("the alias {} is for no name with a registry, and without a tag "
                                   "or a digest",
                                   printable(alias.name)));
        }
        names.aliases.insert_or_assign(alias.name, value.text);
    }
    return {};
}

}  // namespace

Result<> add_short_names(ShortNames& names, std::string_view text, const std::string& path) {
    const TomlValue root = KNARR_TRY(spec::parse_toml(text, path));
    if (const TomlValue* list = root.find("unqualified-search-registries")) {
        KNARR_TRY(add_search(names, *list, path));
    }
    if (const TomlValue* mode = root.find("short-name-mode")) {
        const std::string& word = mode->text;
        if (word != "enforcing" && word != "permissive" && word != "disabled") {
            return bad(
                path,
                *mode,
                fmt::format("short-name-mode \"{}\" is none of enforcing, permissive, disabled",
                            printable(word)));
        }
        // Both ask nobody where no terminal is.
        names.mode = word == "enforcing" ? ShortNameMode::enforcing : ShortNameMode::permissive;
    }
    if (const TomlValue* aliases = root.find("aliases")) {
        KNARR_TRY(add_aliases(names, *aliases, path));
    }
    return {};
}

Result<ShortNames> load_short_names() {
    ShortNames names;
    for (const ConfigFile& file : KNARR_TRY(registries_files())) {
        KNARR_TRY(add_short_names(names, file.text, file.path));
    }
    if (const auto answered = KNARR_TRY(answered_names())) {
        KNARR_TRY(add_short_names(names, answered->text, answered->path));
    }
    return names;
}

bool is_short_name(std::string_view text) {
    const std::size_t slash = split_name(text).name.find('/');
    return slash == std::string_view::npos || !names_a_registry(text.substr(0, slash));
}

Result<std::vector<Reference>> meanings(std::string_view text,
                                        const ShortNames& names,
                                        Wanted wanted) {
    const Reference plain = KNARR_TRY(Reference::parse(text));  // Docker Hub's, if it is short
    if (!is_short_name(text)) {
        return std::vector{plain};
    }
    const Parts parts = split_name(text);
    std::vector<std::string> all;
    if (const auto alias = names.aliases.find(std::string(parts.name));
        alias != names.aliases.end()) {
        all.push_back(alias->second + std::string(parts.rest));
    } else if (wanted == Wanted::fetched && names.search.size() > 1 &&
               names.mode == ShortNameMode::enforcing) {
        return fail(Error{
            .code = Errc::invalid_argument,
            .message = fmt::format("\"{}\" names no registry, and registries.conf has several to "
                                   "search: {}",
                                   printable(text),
                                   fmt::join(names.search, ", ")),
            .hint = fmt::format("write {}/{}, or set an alias or short-name-mode = \"permissive\" "
                                "in registries.conf",
                                names.search.front(),
                                printable(text))});
    } else {
        for (const std::string& place : names.search) {
            all.push_back(fmt::format("{}/{}", place, text));
        }
    }
    std::vector<Reference> found;
    found.reserve(all.size() + 1);
    for (const std::string& one : all) {
        found.push_back(KNARR_TRY(Reference::parse(one)));
    }
    if (found.empty() || wanted == Wanted::stored) {
        found.push_back(plain);
    }
    return found;
}

Result<std::vector<Reference>> meanings(std::string_view text, Wanted wanted) {
    if (!Reference::parse(text) || !is_short_name(text)) {
        return meanings(text, ShortNames{}, wanted);
    }
    return meanings(text, KNARR_TRY(load_short_names()), wanted);
}

}  // namespace knarr::image
