// tag, untag and history: what images are called, and how they came to be.

#include <array>

#include "cli/containers.h"
#include "cli/image_verbs.h"
#include "cli/moment.h"
#include "cli/row_format.h"
#include "cli/table.h"
#include "cli/text_columns.h"
#include "core/text.h"
#include "spec/json_writer.h"

namespace knarr::cli {

namespace {

Result<int> run_tag(Context& context, const Parsed& args) {
    if (args.positionals.size() < 2) {
        return fail(Errc::invalid_argument,
                    "{} is missing",
                    args.positionals.empty() ? "IMAGE and NAME" : "NAME");
    }
    Engine engine = KNARR_TRY(open_engine(context));
    for (std::size_t i = 1; i < args.positionals.size(); ++i) {
        KNARR_TRY(engine.tag_image(args.positionals.front(), args.positionals[i]));
    }
    return 0;
}

Result<int> run_untag(Context& context, const Parsed& args) {
    if (args.positionals.empty()) {
        return fail(Errc::invalid_argument, "which one? IMAGE is missing");
    }
    Engine engine = KNARR_TRY(open_engine(context));
    const std::vector<std::string> names(args.positionals.begin() + 1, args.positionals.end());
    const auto taken = KNARR_TRY(engine.untag_image(args.positionals.front(), names));
    KNARR_TRY(print(untagged_text("Untagged", taken)));
    return 0;
}

constexpr std::array kHistoryOptions{
    Option{.name = "json", .help = "print a JSON array, as docker's API has it"},
    kRowsOption,
    Option{.name = "no-trunc", .help = "print commands and IDs whole"},
    Option{.name = "quiet", .letter = 'q', .help = "print IDs only"},
    Option{.name = "human",
           .letter = 'H',
           .help = "sizes and dates for people; --human=false: bytes and RFC 3339",
           .fallback = "true"},
};

constexpr std::string_view kMissing = "<missing>";

std::string history_json(const std::vector<HistoryStep>& steps) {
    spec::JsonWriter json(spec::JsonLayout::indented);
    json.begin_array();
    for (const HistoryStep& step : steps) {
        json.begin_object().member("Id", step.id.empty() ? kMissing : std::string_view(step.id));
        json.member("Created", std::max<std::int64_t>(seconds_of(step.created).value_or(0), 0));
        json.member("CreatedBy", step.created_by).key("Tags");
        if (step.tags.empty()) {
            json.null();
        } else {
            json.value(step.tags);
        }
        json.member("Size", step.size).member("Comment", step.comment).end_object();
    }
    json.end_array();
    return std::move(json).text() + "\n";
}

std::string step_id(const HistoryStep& step, bool whole) {
    return step.id.empty() ? std::string(kMissing) : shown_id(step.id, whole);
}

std::string shown_step(const std::string& command, bool whole) {
    constexpr std::size_t kColumns = 45;  // docker's
    return whole ? command : cut_to_columns(command, kColumns);
}

constexpr std::string_view kHistoryHeadings =
    R"({"Comment":"COMMENT","CreatedAt":"CREATED AT","CreatedBy":"CREATED BY",)"
    R"("CreatedSince":"CREATED","ID":"IMAGE","Size":"SIZE"})";

/// As docker's command line has them, for --format.
std::vector<std::string> history_rows(const std::vector<HistoryStep>& steps, bool whole) {
    std::vector<std::string> rows;
    for (const HistoryStep& step : steps) {
        spec::JsonWriter json;
        json.begin_object().member("Comment", step.comment).member("CreatedAt", step.created);
        json.member("CreatedBy", shown_step(step.created_by, whole));
        json.member("CreatedSince", ago(seconds_of(step.created), now_s()));
        json.member("ID", step_id(step, whole)).member("Size", decimal_size(step.size));
        json.end_object();
        rows.push_back(std::move(json).text());
    }
    return rows;
}

std::string history_table(const std::vector<HistoryStep>& steps, bool whole, bool human) {
    std::vector<std::vector<std::string>> rows{
        {"IMAGE", human ? "CREATED" : "CREATED AT", "CREATED BY", "SIZE", "COMMENT"}};
    for (const HistoryStep& step : steps) {
        rows.push_back({step_id(step, whole),
                        human ? ago(seconds_of(step.created), now_s()) : step.created,
                        shown_step(step.created_by, whole),
                        human ? decimal_size(step.size) : fmt::format("{}", step.size),
                        step.comment});
    }
    return format_table(rows);
}

Result<int> run_history(Context& context, const Parsed& args) {
    const std::string_view name = KNARR_TRY(one_argument(args, "IMAGE"));
    const ImageFormat format = KNARR_TRY(image_format(args));
    const Engine engine = KNARR_TRY(open_engine(context));
    const auto steps = KNARR_TRY(engine.image_history(name));
    const bool whole = args.flag("no-trunc");
    std::string text;
    if (args.flag("quiet")) {
        for (const HistoryStep& step : steps) {
            text += step_id(step, whole) + "\n";
        }
    } else if (format == ImageFormat::table) {
        text = history_table(steps, whole, !args.has("human") || args.flag("human"));
    } else {
        text = format == ImageFormat::json
                   ? history_json(steps)
                   : KNARR_TRY(by_template(args, kHistoryHeadings, history_rows(steps, whole)));
    }
    KNARR_TRY(print(text));
    return 0;
}

}  // namespace

Result<ImageFormat> image_format(const Parsed& args) {
    if (args.flag("json")) {
        return ImageFormat::json;
    }
    const std::string_view format = args.get("format", "table");
    if (format == "json" || format.find("{{") != std::string_view::npos) {
        return ImageFormat::rows;
    }
    if (format != "table") {
        return fail(Error{.code = Errc::invalid_argument,
                          .message = fmt::format("--format \"{}\" is neither table, json nor a "
                                                 "template",
                                                 printable(format)),
                          .hint = "a template has fields: --format '{{.ID}} {{.Size}}'"});
    }
    return ImageFormat::table;
}

Result<std::string> by_template(const Parsed& args,
                                std::string_view headings,
                                const std::vector<std::string>& rows) {
    RowFormat chosen = KNARR_TRY(RowFormat::parse(args.get("format"), headings));
    for (const std::string& row : rows) {
        KNARR_TRY(chosen.add(row));
    }
    return std::move(chosen).text();
}

constexpr Verb kTag{
    .name = "tag",
    .synopsis = "IMAGE NAME[:TAG]...",
    .summary = "give an image a further name",
    .about =
        "Gives a stored image one or more names. A name that another image has moves to this one.",
    .example = "knarr tag busybox:1.36 registry.example/team/busybox:stable",
    .run = run_tag,
};

constexpr Verb kUntag{
    .name = "untag",
    .synopsis = "IMAGE [NAME[:TAG]...]",
    .summary = "take names from an image",
    .about =
        "Takes the names, or all names of the image when none is given. The image stays, known by\n"
        "its ID, until `rmi` or `image prune` removes it.",
    .example = "knarr untag busybox:1.36",
    .run = run_untag,
};

constexpr Verb kHistory{
    .name = "history",
    .synopsis = "[options] IMAGE",
    .summary = "print how an image was made, the newest step first",
    .about =
        "Prints the steps that the image's configuration tells of. SIZE is that of the files "
        "which\n"
        "the step added.",
    .example = "knarr history --no-trunc busybox",
    .options = kHistoryOptions,
    .run = run_history,
};

}  // namespace knarr::cli
