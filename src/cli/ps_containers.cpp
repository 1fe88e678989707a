#include "cli/ps_containers.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "cli/container_filter.h"
#include "cli/containers.h"
#include "cli/image_name.h"
#include "cli/moment.h"
#include "cli/row_format.h"
#include "cli/shown_command.h"
#include "cli/table.h"
#include "core/text.h"
#include "spec/json_writer.h"

namespace knarr::cli {

namespace {

constexpr std::size_t kShortId = 12;

bool is_running(const ContainerInfo& info) {
    return info.state == ContainerState::running || info.state == ContainerState::paused ||
           info.restarting;
}

/// Of a bundle only its config.json says it.
std::string command_text(const ContainerInfo& info, bool whole) {
    return info.command.empty() ? std::string() : shown_command(info.command, whole);
}

std::string since(const std::string& moment, std::int64_t now) {
    const auto when = seconds_of(moment);
    return !when || *when <= 0 || *when >= now ? std::string("Less than a second ago")
                                               : ago(when, now);
}

}  // namespace

std::vector<std::string> short_ids(const std::vector<ContainerInfo>& all) {
    std::vector<std::string> sorted;
    sorted.reserve(all.size());
    for (const ContainerInfo& info : all) {
        sorted.push_back(info.id);
    }
    std::ranges::sort(sorted);
    const auto common = [](const std::string& a, const std::string& b) {
        return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
    };
    std::vector<std::string> out;
    for (const ContainerInfo& info : all) {
        if (info.image.empty()) {
            out.push_back(info.id);
            continue;
        }
        const auto at = std::ranges::lower_bound(sorted, info.id);
        std::size_t length = kShortId;
        if (at != sorted.begin()) {
            length = std::max(length, common(*std::prev(at), info.id) + 1);
        }
        if (std::next(at) != sorted.end()) {
            length = std::max(length, common(*std::next(at), info.id) + 1);
        }
        out.push_back(info.id.substr(0, length));
    }
    return out;
}

/// docker's words for it, behind those for the state.
std::string health_text(const ContainerInfo& info) {
    if (!info.health || info.state != ContainerState::running) {
        return "";
    }
    return info.health->status == HealthStatus::starting
               ? " (health: starting)"
               : fmt::format(" ({})", name_of(info.health->status));
}

std::string status_text(const ContainerInfo& info, std::int64_t now) {
    if (!info.damage.empty()) {
        return "Dead";
    }
    if (info.state == ContainerState::creating || info.state == ContainerState::created) {
        return "Created";
    }
    if (is_running(info) && !info.restarting) {
        std::string since_start = since(info.started.empty() ? info.created : info.started, now);
        since_start.resize(since_start.size() - std::string_view(" ago").size());
        return fmt::format("Up {}{}{}",
                           since_start,
                           info.state == ContainerState::paused ? " (Paused)" : "",
                           health_text(info));
    }
    const std::string code = info.exit_code ? std::to_string(*info.exit_code) : "?";
    const std::string_view word = info.restarting ? "Restarting" : "Exited";
    return info.finished.empty() ? fmt::format("{} ({})", word, code)
                                 : fmt::format("{} ({}) {}", word, code, since(info.finished, now));
}

std::string ps_json(const ContainerInfo& info,
                    const ShownNames& shown,
                    std::int64_t now,
                    const ContainerDetails& details) {
    spec::JsonWriter json;
    json.begin_object().member("Command", command_text(info, shown.whole));
    json.member("CreatedAt", go_time(seconds_of(info.created)));
    json.member("ID", shown.id).member("Image", shown.image);
    json.member("Labels", labels_text(info.labels))
        .member("LocalVolumes", fmt::format("{}", details.volumes))
        .member("Mounts", fmt::format("{}", fmt::join(details.sources, ",")));
    json.member("Names", info.name).member("Networks", details.network).member("Ports", "");
    json.member("RunningFor", since(info.created, now)).member("Size", details.size_text());
    json.member("State", docker_state(info)).member("Status", status_text(info, now)).end_object();
    return std::move(json).text();
}

namespace {

constexpr std::string_view kTable = "table";
/// docker's headings, of `ps --format "table ..."`.
constexpr std::string_view kHeadings =
    R"({"ID":"CONTAINER ID","Image":"IMAGE","Command":"COMMAND","CreatedAt":"CREATED AT",)"
    R"("RunningFor":"CREATED","Ports":"PORTS","Status":"STATUS","State":"STATE","Size":"SIZE",)"
    R"("Names":"NAMES","Labels":"LABELS","LocalVolumes":"LOCAL VOLUMES","Mounts":"MOUNTS",)"
    R"("Networks":"NETWORKS"})";

/// What is asked of a list besides which containers.
struct ListWish {
    std::string_view format;
    bool whole = false, quiet = false, sizes = false, details = false, json = false;
};

ListWish list_wish(const Parsed& args, const ContainerFilter& filter, std::string_view format) {
    ListWish wish{.format = format,
                  .whole = args.flag("no-trunc"),
                  .quiet = args.flag("quiet") && (format == kTable || args.flag("json")),
                  .json = args.flag("json")};
    const auto names = [&](std::string_view member) {
        return wish.format.find(member) != std::string_view::npos;
    };
    wish.sizes =
        args.get("sort") == "size" || (!wish.quiet && (args.flag("size") || names(".Size")));
    wish.details = wish.sizes || filter.asks_for_details() || names("json") || names(".Mounts") ||
                   names(".Networks") || names(".LocalVolumes");
    return wish;
}

/// Nothing of one that is damaged, or was removed meanwhile.
ContainerDetails details_of(const Engine& engine, const ContainerInfo& info, const ListWish& wish) {
    const Result<std::string> inspected =
        wish.details ? engine.inspect(info.id, wish.sizes ? Sizes::shown : Sizes::left_out)
                     : fail(Errc::not_found, "not asked for");
    const Result<ContainerDetails> details =
        inspected ? read_details(*inspected) : fail(inspected.error());
    return details.value_or(ContainerDetails{});
}

/// The numbers of `all`, the newest first, as docker has it.
std::vector<std::size_t> newest_first(const std::vector<ContainerInfo>& all) {
    std::vector<std::size_t> order(all.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(
        order, [&](std::size_t a, std::size_t b) { return all[a].created > all[b].created; });
    return order;
}

/// One that is shown.
struct Shown {
    const ContainerInfo* info = nullptr;
    std::string id;
    ContainerDetails details;
};

/// What --sort compares. Of sizes those of one length compare as numbers do.
using SortKey = std::string (*)(const Shown& one);
struct NamedKey {
    std::string_view name;
    SortKey key;
};
constexpr std::array<NamedKey, 8> kSortKeys{{
    {"command",
     [](const Shown& one) { return fmt::format("{}", fmt::join(one.info->command, " ")); }},
    {"created", [](const Shown& one) { return one.info->created; }},
    {"id", [](const Shown& one) { return one.info->id; }},
    {"image", [](const Shown& one) { return one.info->image; }},
    {"names", [](const Shown& one) { return one.info->name; }},
    {"runningfor", [](const Shown& one) { return one.info->started; }},
    {"size",
     [](const Shown& one) { return fmt::format("{:020}", one.details.written_bytes.value_or(0)); }},
    {"status", [](const Shown& one) { return std::string(docker_state(*one.info)); }},
}};

Result<> sort_as_asked(const Parsed& args, std::vector<Shown>& shown) {
    const auto by = args.find("sort");
    if (!by) {
        return {};
    }
    const auto* const found = std::ranges::find(kSortKeys, *by, &NamedKey::name);
    if (found == kSortKeys.end()) {
        return fail(Errc::invalid_argument,
                    "--sort \"{}\" is none of command, created, id, image, names, runningfor, "
                    "size, status",
                    printable(*by));
    }
    std::ranges::stable_sort(
        shown, {}, [&](const Shown& one) { return std::pair(found->key(one), one.info->created); });
    return {};
}

/// What is printed, a row at a time.
class ContainerRows {
public:
    ContainerRows(const ListWish& wish, RowFormat chosen)
        : wish_(wish), chosen_(std::move(chosen)) {}

    Result<> add(const ContainerInfo& info,
                 const std::string& id,
                 const ContainerDetails& details) {
        const std::int64_t now = now_s();
        if (wish_.quiet) {
            ids_ += id + "\n";
        } else if (wish_.json) {
            shown_.push_back(info);
        } else if (wish_.format != kTable) {
            const ShownNames shown{
                .id = id, .image = shown_image(info, wish_.whole), .whole = wish_.whole};
            return chosen_.add(ps_json(info, shown, now, details));
        } else {
            rows_.push_back({id,
                             shown_image(info, wish_.whole),
                             command_text(info, wish_.whole),
                             since(info.created, now),
                             status_text(info, now),
                             "",
                             info.name});
            if (wish_.sizes) {
                rows_.back().push_back(details.size_text());
            }
        }
        return {};
    }
    Result<std::string> text(bool heading) && {
        if (wish_.quiet) {
            return std::move(ids_);
        }
        if (wish_.json) {
            return list_json(shown_) + "\n";
        }
        if (wish_.format != kTable) {
            return std::move(chosen_).text();
        }
        if (heading) {
            rows_.insert(
                rows_.begin(),
                {"CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"});
            if (wish_.sizes) {
                rows_.front().emplace_back("SIZE");
            }
        }
        return format_table(rows_);
    }

private:
    const ListWish& wish_;
    RowFormat chosen_;
    std::string ids_;
    std::vector<ContainerInfo> shown_;
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace

Result<int> list_running(Context& context,
                         const Parsed& args,
                         std::vector<std::string_view> filters,
                         std::string_view format) {
    const auto named = args.all("filter");
    filters.insert(filters.end(), named.begin(), named.end());
    const ContainerFilter filter = KNARR_TRY(ContainerFilter::parse(filters, now_s()));
    const ListWish wish = list_wish(args, filter, format.empty() ? kTable : format);
    constexpr std::uint64_t kMany = 1'000'000;
    const bool all_again = args.find("last") == "-1";  // docker's word for: no such bound
    std::optional<std::uint64_t> left =
        all_again ? std::nullopt : KNARR_TRY(args.number("last", kMany));
    left = args.flag("latest") ? 1 : left;
    const bool stopped_too = args.flag("all") || left || filter.asks_for_stopped();
    ContainerRows rows(wish, KNARR_TRY(RowFormat::parse(wish.format, kHeadings)));
    const Engine engine = KNARR_TRY(open_engine(context));
    const std::vector<ContainerInfo> all = KNARR_TRY(engine.list());
    KNARR_TRY(filter.check_names(all));
    const std::vector<std::string> ids = short_ids(all);
    std::vector<Shown> shown;
    for (const std::size_t i : newest_first(all)) {
        const ContainerInfo& info = all[i];
        if ((!stopped_too && !is_running(info)) || !filter.may_fit(info, all)) {
            continue;
        }
        ContainerDetails details = details_of(engine, info, wish);
        if (!filter.fits(info, all, &details)) {
            continue;
        }
        if (left && (*left)-- == 0) {
            break;
        }
        shown.push_back({&info, wish.whole ? info.id : ids[i], std::move(details)});
    }
    KNARR_TRY(sort_as_asked(args, shown));
    for (const Shown& one : shown) {
        KNARR_TRY(rows.add(*one.info, one.id, one.details));
    }
    const std::string text = KNARR_TRY(std::move(rows).text(!args.flag("noheading")));
    KNARR_TRY(print(text));
    return 0;
}

}  // namespace knarr::cli
