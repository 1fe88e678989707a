#include "image/import_change.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/ascii.h"
#include "core/text.h"
#include "platform/signal.h"
#include "spec/json_reader.h"

namespace knarr::image {

namespace {

constexpr std::string_view kBlanks = " \t";

std::string_view trimmed(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(kBlanks);
    return begin == std::string_view::npos
               ? std::string_view()
               : text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words;
    for (const std::string_view word : split(text, ' ')) {
        if (!word.empty()) {
            words.emplace_back(word);
        }
    }
    return words;
}

Result<std::vector<std::string>> json_words(std::string_view text) {
    const auto document = KNARR_TRY(spec::JsonDocument::parse(text, {.name = "its list"}));
    std::vector<std::string> words;
    KNARR_TRY(spec::read_json(document.root(), words));
    return words;
}

/// A list as JSON, or a line for the shell. Source: Dockerfile reference, "Shell and exec form".
Result<std::vector<std::string>> command(std::string_view text) {
    if (text.starts_with('[')) {
        return json_words(text);
    }
    return std::vector<std::string>{"/bin/sh", "-c", std::string(text)};
}

/// A line's words as a Dockerfile has them: quotes and backslashes keep blanks within a word.
std::vector<std::string> quoted_words(std::string_view text) {
    std::vector<std::string> words;
    std::string word;
    bool begun = false;
    char quote = '\0';
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '\\' && quote != '\'' && i + 1 < text.size()) {
            word += text[++i];
            begun = true;
        } else if (quote != '\0' ? c == quote : c == '"' || c == '\'') {
            quote = quote == '\0' ? c : '\0';
            begun = true;
        } else if (quote == '\0' && kBlanks.find(c) != std::string_view::npos) {
            if (begun) {
                words.push_back(std::exchange(word, {}));
            }
            begun = false;
        } else {
            word += c;
            begun = true;
        }
    }
    if (begun) {
        words.push_back(std::move(word));
    }
    return words;
}

/// NAME=VALUE, or NAME VALUE; quotes around the value are taken away.
Result<std::pair<std::string, std::string>> setting(std::string_view text) {
    const std::size_t end = text.find_first_of("= \t");
    if (end == 0 || end == std::string_view::npos) {
        return fail(Errc::invalid_argument, "\"{}\" is not NAME=VALUE", printable(text));
    }
    std::string_view value = trimmed(text.substr(end + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
        value = value.substr(1, value.size() - 2);
    }
    return std::pair(std::string(text.substr(0, end)), std::string(value));
}

/// NAME=VALUE NAME=VALUE ..., or one NAME VALUE. Source: Dockerfile reference, "ENV", "LABEL".
Result<std::vector<std::pair<std::string, std::string>>> settings(std::string_view text) {
    std::vector<std::pair<std::string, std::string>> all;
    const std::size_t end = text.find_first_of("= \t");
    if (end == std::string_view::npos || text[end] != '=') {
        all.push_back(KNARR_TRY(setting(text)));
        return all;
    }
    for (const std::string& word : quoted_words(text)) {
        const std::size_t equals = word.find('=');
        if (equals == std::string::npos || equals == 0) {
            return fail(Errc::invalid_argument, "\"{}\" is not NAME=VALUE", printable(word));
        }
        all.emplace_back(word.substr(0, equals), word.substr(equals + 1));
    }
    return all;
}

void insert_sorted(std::vector<std::string>& list, std::string word) {
    const auto at = std::ranges::lower_bound(list, word);
    if (at == list.end() || *at != word) {
        list.insert(at, std::move(word));
    }
}

Result<> change_cmd(std::string_view text, spec::ImageRunConfig& config) {
    config.cmd = KNARR_TRY(command(text));
    return {};
}

Result<> change_entrypoint(std::string_view text, spec::ImageRunConfig& config) {
    config.entrypoint = KNARR_TRY(command(text));
    return {};
}

Result<> change_env(std::string_view text, spec::ImageRunConfig& config) {
    for (const auto& [name, value] : KNARR_TRY(settings(text))) {
        const std::string prefix = name + "=";
        std::erase_if(config.env,
                      [&](const std::string& other) { return other.starts_with(prefix); });
        config.env.push_back(prefix + value);
    }
    return {};
}

Result<> change_label(std::string_view text, spec::ImageRunConfig& config) {
    for (auto& [name, value] : KNARR_TRY(settings(text))) {
        config.labels[name] = value;
    }
    return {};
}

Result<> change_expose(std::string_view text, spec::ImageRunConfig& config) {
    constexpr std::array<std::string_view, 3> kProtocols{"tcp", "udp", "sctp"};
    for (const std::string& word : words_of(text)) {
        const std::size_t slash = word.find('/');
        const std::string protocol =
            slash == std::string::npos ? std::string("tcp") : word.substr(slash + 1);
        const auto port = parse_number(std::string_view(word).substr(0, slash), 65535);
        if (!port || *port == 0 || std::ranges::find(kProtocols, protocol) == kProtocols.end()) {
            return fail(Errc::invalid_argument, "\"{}\" is not PORT[/tcp]", printable(word));
        }
        insert_sorted(config.exposed_ports, fmt::format("{}/{}", *port, protocol));
    }
    return {};
}

Result<> change_volume(std::string_view text, spec::ImageRunConfig& config) {
    const std::vector<std::string> paths =
        text.starts_with('[') ? KNARR_TRY(json_words(text)) : words_of(text);
    for (const std::string& path : paths) {
        if (!path.starts_with('/')) {
            return fail(Errc::invalid_argument, "\"{}\" is not absolute", printable(path));
        }
        insert_sorted(config.volumes, path);
    }
    return {};
}

Result<> change_workdir(std::string_view text, spec::ImageRunConfig& config) {
    if (!text.starts_with('/')) {
        return fail(Errc::invalid_argument, "\"{}\" is not absolute", printable(text));
    }
    config.working_dir = text;
    return {};
}

Result<> change_user(std::string_view text, spec::ImageRunConfig& config) {
    config.user = text;
    return {};
}

Result<> change_stop_signal(std::string_view text, spec::ImageRunConfig& config) {
    KNARR_TRY(sys::parse_signal(text));
    config.stop_signal = text;
    return {};
}

struct Instruction {
    std::string_view name;
    Result<> (*apply)(std::string_view, spec::ImageRunConfig&);
};
constexpr std::array kInstructions{Instruction{"CMD", change_cmd},
                                   Instruction{"ENTRYPOINT", change_entrypoint},
                                   Instruction{"ENV", change_env},
                                   Instruction{"EXPOSE", change_expose},
                                   Instruction{"LABEL", change_label},
                                   Instruction{"STOPSIGNAL", change_stop_signal},
                                   Instruction{"USER", change_user},
                                   Instruction{"VOLUME", change_volume},
                                   Instruction{"WORKDIR", change_workdir}};

}  // namespace

Result<> apply_change(std::string_view instruction, spec::ImageRunConfig& config) {
    const std::string_view text = trimmed(instruction);
    const std::size_t end = text.find_first_of("= \t");
    const std::string name = to_upper(std::string(text.substr(0, end)));
    const auto* const known = std::ranges::find(kInstructions, name, &Instruction::name);
    if (known == kInstructions.end()) {
        std::string all;
        for (const Instruction& one : kInstructions) {
            all += (all.empty() ? "" : ", ") + std::string(one.name);
        }
        return fail(Errc::invalid_argument,
                    "change \"{}\" begins with none of {}",
                    printable(instruction),
                    all);
    }
    const std::string_view rest =
        end == std::string_view::npos ? std::string_view() : trimmed(text.substr(end + 1));
    if (rest.empty()) {
        return fail(Errc::invalid_argument, "change {}: its value is missing", name);
    }
    Result<> applied = known->apply(rest, config);
    if (!applied) {
        Error error = std::move(applied).error();
        error.code = Errc::invalid_argument;
        return fail(std::move(error).within("change " + name));
    }
    return {};
}

}  // namespace knarr::image
