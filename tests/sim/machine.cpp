#include "sim/machine.h"

#include <csignal>
#include <cstdlib>

#include <sys/stat.h>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "bundle/bundle.h"
#include "core/clock.h"
#include "core/text.h"
#include "engine/attach.h"
#include "engine/background.h"
#include "engine/container_data.h"
#include "engine/log_store.h"
#include "engine/new_container.h"
#include "engine/restart.h"
#include "engine/state_dir.h"
#include "layer/info.h"
#include "platform/file.h"
#include "sim/programs.h"

namespace knarr::sim {

namespace {

std::string quoted(const std::vector<std::string>& words) {
    std::string text = "\"/bin/program\"";
    for (const std::string& word : words) {
        text += ",\"" + word + "\"";
    }
    return text;
}

/// Where a container's terminals are.
constexpr const char* kTerminals =
    R"("mounts":[{"destination":"/dev/pts","type":"devpts","source":"devpts",)"
    R"("options":["newinstance","ptmxmode=0666"]}],)";

/// The one layer of every image here; its files are those of the bundle that was made first.
spec::Digest layer_id() {
    return *spec::Digest::parse("sha256:" + std::string(64, 'a'));
}

std::string layer_place() {
    return fmt::format("{}/layers/{}", kDataRoot, layer_id().hex());
}

void make_layer() {
    make_path(kDataRoot, Kind::directory, "")->mode = S_IFDIR | 0700;
    make_path(layer_place() + "/meta",
              Kind::regular,
              layer::encode_info({.driver = layer::Driver::dir}, layer_id().text()));
    make_path(layer_place() + "/fs/bin/program", Kind::regular, kProgramFile);
    make_path(layer_place() + "/fs/dev", Kind::directory, "");
    make_path(layer_place() + "/fs/proc", Kind::directory, "");
}

/// As run_image.h does it, but for the image, which nobody pulled.
Result<> launch_in_background(const engine::Context& context,
                              const std::string& id,
                              const Background& options,
                              engine::AttachedEnds attached) {
    engine::NewContainer wanted = KNARR_TRY(engine::read_request({.id = id, .bundle = "/b/" + id}));
    engine::Life life;
    life.monitored = true;
    life.log.keep = options.keep_log;
    life.terminal = life.keeps_stdin = options.terminal;
    life.restart.policy = options.restart;
    life.health = options.health;
    life.started = format_time(system_clock().wall());
    wanted.life = std::move(life);
    wanted.image = "simulated:1";
    wanted.auto_remove = options.auto_remove;
    wanted.data_dir = engine::container_dir(kDataRoot, id);
    wanted.bundle.directory = wanted.data_dir;
    wanted.bundle.rootfs = engine::planned_root({layer_place() + "/fs"}, wanted.data_dir);
    wanted.bundle.config.root->path = std::get<bundle::OverlayRoot>(wanted.bundle.rootfs).merged;
    const engine::ContainerUse use{.container = id,
                                   .state_root = kStateRoot,
                                   .state_root_device = {},
                                   .state_root_inode = {},
                                   .boot = engine::boot_id(),
                                   .reference = "simulated:1",
                                   .image_id = layer_id().text(),
                                   .chain = {layer_id()},
                                   .volumes = {}};
    wanted.make_data_dir = [use, bundle = wanted.bundle]() -> Result<> {
        const sys::FileLock lock =
            KNARR_TRY(engine::lock_containers(kDataRoot, sys::FileLock::Kind::shared));
        return engine::make_container_data(use, bundle, {});
    };
    if (attached.before_launch) {
        KNARR_TRY(attached.before_launch());
    }
    wanted.attached = std::move(attached);
    return engine::run_in_background(context, std::move(wanted));
}

/// An attached caller's answer.
int said(const Result<std::optional<int>>& code) {
    if (!code) {
        answer(code.error().message);
        return describe(code.error().code).exit_status;
    }
    answer(*code ? fmt::format("{}", **code) : "left");
    return code->value_or(kLeft);
}

}  // namespace

void make_bundle(const std::string& name, const std::vector<std::string>& words, Streams streams) {
    const bool terminal = streams == Streams::terminal;
    make_layer();
    const std::string place = "/b/" + name;
    make_path(place + "/rootfs/bin/program", Kind::regular, kProgramFile);
    make_path(place + "/rootfs/dev", Kind::directory, "");
    make_path(place + "/rootfs/proc", Kind::directory, "");
    make_path(place + "/config.json",
              Kind::regular,
              R"({"ociVersion":"1.0.2","process":{"terminal":)" +
                  std::string(terminal ? "true" : "false") + R"(,"args":[)" + quoted(words) +
                  R"(],"cwd":"/","env":["PATH=/bin"],"user":{"uid":0,"gid":0},"capabilities":{}},)"
                  R"("root":{"path":"rootfs"},)" +
                  std::string(terminal ? kTerminals : "") +
                  R"("linux":{"namespaces":[{"type":"pid"},)"
                  R"({"type":"mount"}]}})");
}

int verb(const std::function<Result<int>(Engine&)>& work) {
    Result<Engine> engine = Engine::open({.root = kStateRoot, .data_root = kDataRoot, .warn = {}});
    Result<int> done = engine ? work(*engine) : fail(engine.error());
    if (!done) {
        answer(done.error().message);
        return describe(done.error().code).exit_status;
    }
    return *done;
}

namespace {

int plain(const std::function<Result<>(Engine&)>& work) {
    return verb([&](Engine& engine) -> Result<int> {
        KNARR_TRY(work(engine));
        return 0;
    });
}

}  // namespace

int create(const std::string& id) {
    return plain([&](Engine& engine) { return engine.create({.id = id, .bundle = "/b/" + id}); });
}

int start(const std::string& id) {
    return plain([&](Engine& engine) { return engine.start(id, {}); });
}

int kill(const std::string& id, int signal) {
    return plain([&](Engine& engine) { return engine.kill(id, signal, KillTarget::init); });
}

int remove(const std::string& id, RemoveMode mode) {
    return plain([&](Engine& engine) { return engine.remove(id, mode, AnonymousVolumes::stay); });
}

int stop(const std::string& id, unsigned seconds) {
    return plain([&](Engine& engine) {
        return engine.stop(id, {.signal = "", .timeout = std::chrono::seconds(seconds)});
    });
}

int pause(const std::string& id) {
    return plain([&](Engine& engine) { return engine.pause(id); });
}

int resume(const std::string& id) {
    return plain([&](Engine& engine) { return engine.resume(id); });
}

int recover(bool force) {
    return verb([&](Engine& engine) -> Result<int> {
        for (const UpkeepStep& step : KNARR_TRY(engine.recover(force))) {
            note(fmt::format("recover: {} {} {}", name_of(step.kind), step.id, step.detail));
        }
        return 0;
    });
}

int state(const std::string& id) {
    return verb([&](Engine& engine) -> Result<int> {
        const ContainerInfo info = KNARR_TRY(engine.state(id));
        answer(name_of(info.state));
        return 0;
    });
}

int wait(const std::string& id) {
    return verb([&](Engine& engine) -> Result<int> {
        const auto code = KNARR_TRY(engine.wait(id));
        answer(code ? fmt::format("{}", *code) : "-");
        return 0;
    });
}

int exec(const std::string& id, const std::vector<std::string>& words, int timeout_ms) {
    return verb([&](Engine& engine) -> Result<int> {
        ExecRequest request;
        request.command = {"/bin/program"};
        request.command.insert(request.command.end(), words.begin(), words.end());
        request.timeout =
            timeout_ms > 0 ? std::optional(std::chrono::milliseconds(timeout_ms)) : std::nullopt;
        return engine.exec(id, request);
    });
}

namespace {

CriuOptions criu() {
    setenv("PATH", "/usr/bin", 1);  // of this process, which plays one client
    CriuOptions options;
    options.image_path = kImages;
    return options;
}

}  // namespace

int checkpoint(const std::string& id, After after) {
    return plain([&](Engine& engine) {
        CheckpointRequest request{.criu = criu()};
        request.leave_running = after == After::stays;
        return engine.checkpoint(id, request);
    });
}

int restore(const std::string& id) {
    return verb([&](Engine& engine) {
        return engine.restore({.id = id, .bundle = "/b/" + id, .criu = criu(), .detach = true});
    });
}

bool is_raw(const Terminal& window) {
    return (window.settings.c_lflag & ICANON) == 0;
}

int exec_in_terminal(const std::string& id, const std::vector<std::string>& words) {
    return verb([&](Engine& engine) -> Result<int> {
        ExecRequest request;
        request.command = {"/bin/program"};
        request.command.insert(request.command.end(), words.begin(), words.end());
        request.timeout = std::nullopt;
        request.terminal = true;
        request.detach_keys = "ctrl-p,ctrl-q";
        return engine.exec(id, request);
    });
}

int attach(const std::string& id) {
    Result<Engine> engine = Engine::open({.root = kStateRoot, .data_root = kDataRoot, .warn = {}});
    return said(engine ? engine->attach(id, {}) : fail(engine.error()));
}

int run_in_front(const std::string& id, const Background& options) {
    const auto run = [&]() -> Result<std::optional<int>> {
        const engine::StateRoot root = KNARR_TRY(engine::StateRoot::open(kStateRoot));
        const engine::Context context{.root = root, .warn = [](std::string_view) {}};
        RunRequest request;
        request.terminal = options.terminal;
        request.log.keep = options.keep_log;
        const auto launch = [&](engine::AttachedEnds ends) -> Result<std::string> {
            KNARR_TRY(launch_in_background(context, id, options, std::move(ends)));
            return id;
        };
        return engine::run_attached(context, request, {}, launch);
    };
    return said(run());
}

int run_in_background(const std::string& id, const Background& options) {
    const auto run = [&]() -> Result<> {
        const engine::StateRoot root = KNARR_TRY(engine::StateRoot::open(kStateRoot));
        const engine::Context context{.root = root, .warn = [](std::string_view) {}};
        return launch_in_background(context, id, options, {});
    };
    if (const Result<> done = run(); !done) {
        answer(done.error().message);
        return describe(done.error().code).exit_status;
    }
    return 0;
}

std::string state_of(Simulation& sim, const std::string& id) {
    Process& asked = sim.start("state", [&] { return state(id); });
    const bool ended = sim.finish({&asked});
    const std::string said(view(asked.answer));
    if (!ended) {
        return "stuck";
    }
    return code_of(asked) == 0                                ? said
           : said.find("does not exist") != std::string::npos ? "gone"
                                                              : "error: " + said;
}

std::optional<Told> told_of(Simulation& sim, const std::string& id) {
    Process& asked = sim.start("state", [&] {
        return verb([&](Engine& engine) -> Result<int> {
            const ContainerInfo info = KNARR_TRY(engine.state(id));
            const HealthReport health = info.health.value_or(HealthReport{});
            answer(fmt::format("{} {} {} {}",
                               info.restart_count,
                               info.restarting ? 1 : 0,
                               static_cast<int>(health.status),
                               health.failing_streak));
            return 0;
        });
    });
    if (!sim.finish({&asked}) || code_of(asked) != 0) {
        return std::nullopt;
    }
    const auto words = split(view(asked.answer), ' ');
    const auto number = [&](std::size_t i) { return parse_number(words[i]).value_or(0); };
    return Told{.restarts = static_cast<unsigned>(number(0)),
                .restarting = number(1) == 1,
                .health = static_cast<HealthStatus>(number(2)),
                .failing = static_cast<unsigned>(number(3))};
}

std::string logged(Simulation& sim, const std::string& id, engine::LogStream stream) {
    const std::string dir = engine::log_dir_of(fmt::format("{}/containers/{}", kDataRoot, id));
    std::string text;
    for (const std::string& name : sim.list(dir)) {
        const std::string file = sim.read(dir + "/" + name).value_or("");
        for (const std::string_view line : split(std::string_view(file), '\n')) {
            const auto entry = engine::parse_entry(line);
            if (entry && entry->stream == stream) {
                text += std::string(entry->text) + (entry->ends_line ? "\n" : "");
            }
        }
    }
    return text;
}

std::string leftovers(const Simulation& sim) {
    std::string text;
    for (const Process* process : sim.living()) {
        text += fmt::format("process {} {}; ", process->pid, view(process->name));
    }
    for (const std::string& name : sim.list(kStateRoot)) {
        if (!name.starts_with(".") && name != "names" && name != "events") {
            text += fmt::format("{}/{}; ", kStateRoot, name);
        }
    }
    for (const std::string& name : sim.list(std::string(kDataRoot) + "/containers")) {
        if (!name.starts_with(".")) {
            text += fmt::format("containers/{}; ", name);
        }
    }
    for (const auto& [name, inode] : world->root_cgroup->dir->entries) {
        if (inode->kind == Kind::directory) {
            text += fmt::format("cgroup {}; ", view(name));
        }
    }
    if (text.empty() && world->files_open != 0) {
        text += fmt::format("{} open files; ", world->files_open);
    }
    return text;
}

std::string on_screen(const std::string& text) {
    std::string shown;
    for (const char c : text) {
        shown += c == '\n' ? "\r\n" : std::string(1, c);
    }
    return shown;
}

void expect_removable(Simulation& sim, const std::string& id, const std::string& when) {
    EXPECT_EQ(sim.run("rm", [&] { return remove(id, RemoveMode::force); }), 0) << when << "\n"
                                                                               << sim.tail();
    sim.run_for(5000);
    EXPECT_EQ(leftovers(sim), "") << when << "\n" << sim.tail();
}

}  // namespace knarr::sim
