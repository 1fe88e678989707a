#include "engine/image_record.h"

#include <algorithm>
#include <set>

#include "bundle/make.h"
#include "bundle/settings.h"
#include "core/clock.h"
#include "engine/health.h"
#include "image/find.h"
#include "image/reference.h"
#include "platform/signal.h"

namespace knarr::engine {

namespace {

/// What `logs --details` will show, of what was asked for by name. What is not there is left out.
void note_details(const std::vector<std::string>& env, Life& life) {
    for (const std::string& name : life.log.labels) {
        if (const auto label = life.labels.find(name); label != life.labels.end()) {
            life.log_details.insert(*label);
        }
    }
    for (const std::string& name : life.log.variables) {
        const auto set = std::ranges::find_if(
            env, [&](const std::string& one) { return one.starts_with(name + "="); });
        if (set != env.end()) {
            life.log_details[name] = set->substr(name.size() + 1);
        }
    }
}

/// The image's and those of --expose, each once, with its protocol.
std::vector<std::string> exposed_ports(const RunRequest& request,
                                       const std::vector<std::string>& of_image) {
    std::set<std::string> all(request.settings.exposed.begin(), request.settings.exposed.end());
    for (const std::string& port : of_image) {
        all.insert(port.find('/') == std::string::npos ? port + "/tcp" : port);
    }
    return {all.begin(), all.end()};
}

/// Those of docker's --mount, by where the bundle has them.
std::vector<AskedMount> asked_mounts(const RunRequest& request) {
    const auto place = [](const std::string& target) {
        return bundle::target_path(target, "target").value_or(target);
    };
    std::vector<AskedMount> mounts;
    for (const VolumeRequest& volume : request.volumes) {
        if (volume.by_mount) {
            mounts.push_back({place(volume.target), volume.no_copy, volume.labels});
        }
    }
    for (const TmpfsRequest& tmpfs : request.settings.tmpfs) {
        if (tmpfs.by_mount) {
            mounts.push_back({place(tmpfs.target), false, {}});
        }
    }
    return mounts;
}

Asked asked_of(const RunRequest& request, const Prepared& prepared) {
    const auto& image = prepared.image.config.config;
    Asked asked{.user = request.user.empty() ? image.user : request.user,
                .workdir = request.workdir.empty() ? image.working_dir : request.workdir,
                .implied = {},
                .image = image::is_file_source(request.image)
                             ? image::familiar_reference(prepared.reference)
                             : request.image,
                .groups = request.settings.groups,
                .id_file = request.id_file};
    bundle::Words words = bundle::words_of(request, image);
    asked.entrypoint = std::move(words.entrypoint);
    asked.command = std::move(words.command);
    std::set<std::string> volumes(image.volumes.begin(), image.volumes.end());
    for (const WantedVolume& volume : prepared.volumes) {
        if (volume.anonymous) {
            volumes.insert(volume.target);
        }
    }
    asked.volumes.assign(volumes.begin(), volumes.end());
    asked.mounts = asked_mounts(request);
    for (const std::string& setting : prepared.made.bundle.config.process->env) {
        const std::string name = setting.substr(0, setting.find('='));
        const auto sets = [&](const std::string& one) { return one.starts_with(name + "="); };
        if (std::ranges::none_of(image.env, sets) && std::ranges::none_of(request.env, sets)) {
            asked.implied.push_back(name);
        }
    }
    return asked;
}

/// What the container's record keeps of the request, for `stop` and the monitor.
Result<Life> life_of(const RunRequest& request, const Prepared& prepared) {
    Life life;
    life.command = prepared.made.bundle.config.process->args;
    if (request.settings.init) {
        // docker shows the program, not who looks after it: "/sbin/docker-init", "--".
        life.command.erase(life.command.begin(), life.command.begin() + 2);
    }
    if (request.stop_timeout) {
        life.stop_seconds = count_seconds(*request.stop_timeout);
    }
    life.log = request.log;
    life.restart.policy = request.restart;
    life.terminal = request.terminal;
    life.keeps_stdin = request.settings.keeps_stdin;
    for (const WantedVolume& volume : prepared.volumes) {
        if (volume.anonymous) {
            life.volumes.push_back(volume.name);
        }
    }
    const auto& healthcheck = prepared.image.config.config.healthcheck;
    life.health =
        KNARR_TRY(choose_health_check(request.health, healthcheck ? &*healthcheck : nullptr));
    life.labels = request.settings.labels;
    life.labels.insert(prepared.image.config.config.labels.begin(),
                       prepared.image.config.config.labels.end());
    life.names = request.settings.names;
    life.asked = asked_of(request, prepared);
    life.exposed = exposed_ports(request, prepared.image.config.config.exposed_ports);
    note_details(prepared.made.bundle.config.process->env, life);
    const std::string& image = prepared.image.config.config.stop_signal;
    if (!request.stop_signal.empty()) {
        life.stop_signal = KNARR_TRY(sys::parse_signal(request.stop_signal), "stop signal");
    } else if (!image.empty()) {
        Result<int> signal = sys::parse_signal(image);
        if (!signal) {
            Error error = std::move(signal).error();
            error.code = Errc::invalid_image;
            return fail(std::move(error)
                            .within("the image's StopSignal")
                            .advise("choose one with --stop-signal"));
        }
        life.stop_signal = *signal;
    }
    if (life.stop_signal == 0) {
        return fail(Errc::invalid_argument, "stop signal 0 would stop nothing");
    }
    return life;
}

}  // namespace

Result<NewContainer> new_container_of(const Prepared& prepared, const RunRequest& request) {
    return NewContainer{.id = KNARR_TRY(ContainerId::parse(prepared.id)),
                        .name = request.name,
                        .bundle = prepared.made.bundle,
                        .image = prepared.reference,
                        .data_dir = prepared.made.bundle.directory,
                        .service = request.service,
                        .auto_remove = request.remove,
                        .life = KNARR_TRY(life_of(request, prepared))};
}

}  // namespace knarr::engine
