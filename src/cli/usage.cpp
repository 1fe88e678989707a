#include "cli/usage.h"

#include <array>
#include <functional>

#include "cli/table.h"
#include "spec/json_writer.h"

namespace knarr::cli {

namespace {

constexpr double kPercent = 100.0;
constexpr std::string_view kNothing = "--";

using Text = std::optional<std::string>;

Text percent(std::optional<double> value) {
    return value ? Text(fmt::format("{:.2f}%", *value)) : std::nullopt;
}

Text pair(std::optional<InOut> value) {
    return value ? Text(decimal_size(value->in) + " / " + decimal_size(value->out)) : std::nullopt;
}

/// Of a container that has none, or one that could not be reached, the machine's, as docker has it.
std::optional<std::uint64_t> memory_limit(const Usage& now) {
    const auto& own = now.statistics->memory->memory.limit;
    const bool machine = now.machine_bytes > 0 && (!own || *own > now.machine_bytes);
    return machine ? std::optional(now.machine_bytes) : own;
}

std::optional<double> memory_percent(const Usage& now) {
    const auto used = now.statistics ? memory_in_use(*now.statistics) : std::nullopt;
    const auto limit = used ? memory_limit(now) : std::nullopt;
    if (!limit || *limit == 0) {
        return std::nullopt;
    }
    return static_cast<double>(*used) * kPercent / static_cast<double>(*limit);
}

struct Texts {
    Text cpu, memory, memory_percent, network, block, pids;
};

Texts texts_of(const Usage* before, const Usage& now) {
    Texts out;
    out.cpu = percent(before != nullptr ? cpu_percent(*before, now) : std::nullopt);
    out.memory_percent = percent(memory_percent(now));
    if (!now.statistics) {
        return out;
    }
    const Statistics& statistics = *now.statistics;
    if (const auto used = memory_in_use(statistics)) {
        const auto limit = memory_limit(now);
        out.memory =
            binary_size(*used) + " / " + (limit ? binary_size(*limit) : std::string(kNothing));
    }
    out.network = pair(network_bytes(statistics));
    out.block = pair(block_bytes(statistics));
    if (statistics.pids) {
        out.pids = fmt::format("{}", statistics.pids->current);
    }
    return out;
}

/// A value of a label: quoted.
std::string label(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '\\' || c == '"') {
            out += '\\';
        }
        out += c == '\n' ? std::string("\\n") : std::string(1, c);
    }
    return out + "\"";
}

/// One family of metrics: its heading, and a line for each container that has it.
class Family {
public:
    Family(std::string& out, std::string_view name, std::string_view type, std::string_view help)
        : out_(out),
          name_(fmt::format("knarr_container_{}", name)),
          head_(fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", name_, help, type)) {}
    void add(const ContainerInfo& info, const std::string& value, std::string_view more = {}) {
        out_ += head_;
        head_.clear();
        out_ += fmt::format(
            "{}{{id={},name={}{}}} {}\n", name_, label(info.id), label(info.name), more, value);
    }
    template <typename T>
    void add_if(const ContainerInfo& info, const std::optional<T>& value) {
        if (value) {
            add(info, fmt::format("{}", *value));
        }
    }

private:
    std::string& out_;
    std::string name_, head_;
};

std::string seconds(std::uint64_t nanoseconds) {
    constexpr std::uint64_t kSecond = 1'000'000'000;
    return fmt::format("{}.{:09}", nanoseconds / kSecond, nanoseconds % kSecond);
}

void add_cpu(std::string& out, const std::vector<Usage>& all) {
    Family total(out, "cpu_seconds_total", "counter", "CPU time of all its processes.");
    for (const Usage& one : all) {
        if (one.statistics && one.statistics->cpu) {
            total.add(one.info, seconds(one.statistics->cpu->total_ns));
        }
    }
    Family throttled(out, "cpu_throttled_seconds_total", "counter", "Time held back by a quota.");
    for (const Usage& one : all) {
        if (one.statistics && one.statistics->cpu && one.statistics->cpu->throttled_ns) {
            throttled.add(one.info, seconds(*one.statistics->cpu->throttled_ns));
        }
    }
}

void add_numbers(std::string& out, const std::vector<Usage>& all) {
    using Number = std::optional<std::uint64_t>;
    struct Row {
        std::string_view name, type, help;
        std::function<Number(const Statistics&)> value;
    };
    const auto memory = [](Number MemoryUse::* member) {
        return [member](const Statistics& s) {
            return s.memory ? s.memory->memory.*member : Number();
        };
    };
    const auto in_out = [](auto of, std::uint64_t InOut::* member) {
        return [of, member](const Statistics& s) {
            const auto both = of(s);
            return both ? Number((*both).*member) : Number();
        };
    };
    const std::array<Row, 10> rows{{
        {"memory_usage_bytes",
         "gauge",
         "Memory, pages of files included.",
         [](const Statistics& s) { return s.memory ? Number(s.memory->memory.usage) : Number(); }},
        {"memory_working_set_bytes",
         "gauge",
         "Memory without pages of files that nobody uses.",
         [](const Statistics& s) { return memory_in_use(s); }},
        {"memory_limit_bytes", "gauge", "Its limit, where it has one.", memory(&MemoryUse::limit)},
        {"memory_max_bytes", "gauge", "The most that it ever used.", memory(&MemoryUse::max)},
        {"pids",
         "gauge",
         "Processes and threads.",
         [](const Statistics& s) { return s.pids ? Number(s.pids->current) : Number(); }},
        {"pids_limit",
         "gauge",
         "Its limit, where it has one.",
         [](const Statistics& s) { return s.pids ? s.pids->limit : Number(); }},
        {"network_receive_bytes_total",
         "counter",
         "Of its own network, without loopback.",
         in_out(network_bytes, &InOut::in)},
        {"network_transmit_bytes_total",
         "counter",
         "Of its own network, without loopback.",
         in_out(network_bytes, &InOut::out)},
        {"block_read_bytes_total",
         "counter",
         "Read from block devices.",
         in_out(block_bytes, &InOut::in)},
        {"block_write_bytes_total",
         "counter",
         "Written to block devices.",
         in_out(block_bytes, &InOut::out)},
    }};
    for (const Row& row : rows) {
        Family family(out, row.name, row.type, row.help);
        for (const Usage& one : all) {
            family.add_if(one.info, one.statistics ? row.value(*one.statistics) : Number());
        }
    }
}

}  // namespace

std::optional<double> cpu_percent(const Usage& before, const Usage& now) {
    if (!before.statistics || !before.statistics->cpu || !now.statistics || !now.statistics->cpu ||
        before.info.pid != now.info.pid || now.at_ns <= before.at_ns ||
        now.statistics->cpu->total_ns < before.statistics->cpu->total_ns) {
        return std::nullopt;
    }
    return static_cast<double>(now.statistics->cpu->total_ns - before.statistics->cpu->total_ns) *
           kPercent / static_cast<double>(now.at_ns - before.at_ns);
}

std::optional<std::uint64_t> memory_in_use(const Statistics& statistics) {
    if (!statistics.memory) {
        return std::nullopt;
    }
    const std::uint64_t usage = statistics.memory->memory.usage;
    for (const char* name : {"total_inactive_file", "inactive_file"}) {
        const auto idle = statistics.memory->raw.find(name);
        if (idle != statistics.memory->raw.end()) {
            return idle->second < usage ? usage - idle->second : 0;
        }
    }
    return usage;
}

std::optional<InOut> block_bytes(const Statistics& statistics) {
    if (!statistics.block_io) {
        return std::nullopt;
    }
    InOut out;
    for (const BlockIoCount& count : statistics.block_io->bytes) {
        out.in += count.op == "Read" ? count.value : 0;
        out.out += count.op == "Write" ? count.value : 0;
    }
    return out;
}

std::optional<InOut> network_bytes(const Statistics& statistics) {
    if (!statistics.interfaces) {
        return std::nullopt;
    }
    InOut out;
    for (const InterfaceStatistics& one : *statistics.interfaces) {
        out.in += one.name == "lo" ? 0 : one.rx_bytes;
        out.out += one.name == "lo" ? 0 : one.tx_bytes;
    }
    return out;
}

std::vector<std::string> usage_row(const Usage* before, const Usage& now, const std::string& id) {
    const Texts texts = texts_of(before, now);
    const auto cell = [](const Text& text) { return text.value_or(std::string(kNothing)); };
    return {id,
            now.info.name,
            cell(texts.cpu),
            texts.memory.value_or("-- / --"),
            cell(texts.memory_percent),
            cell(texts.network),
            cell(texts.block),
            cell(texts.pids)};
}

std::string usage_json(const Usage* before, const Usage& now, const std::string& id) {
    const Texts texts = texts_of(before, now);
    spec::JsonWriter json;
    json.begin_object().member("BlockIO", texts.block).member("CPUPerc", texts.cpu);
    json.member("Container", now.called.empty() ? id : now.called)
        .member("ID", id)
        .member("MemPerc", texts.memory_percent);
    json.member("MemUsage", texts.memory).member("Name", now.info.name);
    json.member("NetIO", texts.network).member("PIDs", texts.pids).end_object();
    return std::move(json).text();
}

std::string metrics_text(const std::vector<Usage>& all) {
    std::string out;
    Family state(out, "state", "gauge", "1 for the state that it is in.");
    for (const Usage& one : all) {
        state.add(one.info,
                  "1",
                  fmt::format(
                      ",image={},state={}", label(one.info.image), label(name_of(one.info.state))));
    }
    Family restarts(out, "restarts_total", "counter", "Since somebody started it by hand.");
    for (const Usage& one : all) {
        if (!one.info.image.empty()) {
            restarts.add(one.info, fmt::format("{}", one.info.restart_count));
        }
    }
    Family code(out, "exit_code", "gauge", "Of one that has ended, where it is known.");
    for (const Usage& one : all) {
        code.add_if(one.info, one.info.exit_code);
    }
    add_cpu(out, all);
    add_numbers(out, all);
    return out;
}

}  // namespace knarr::cli
