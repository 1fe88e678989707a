#pragma once
// Engine: what an embedder calls (docs/embedding.md). Thin methods over src/engine; every method
// stands alone, no daemon and no thread is behind it, and any later process can go on with what one
// left.
//
//     knarr::Result<> run_web() {
//         knarr::Engine engine = KNARR_TRY(knarr::Engine::open({.root = "/run/knarr"}));
//         KNARR_TRY(engine.create({.id = "web", .bundle = "/bundles/web"}));
//         KNARR_TRY(engine.start("web"));
//         KNARR_TRY(engine.wait("web"));
//         return engine.remove("web", knarr::RemoveMode::when_stopped);
//     }
//
// Several threads may use one Engine at once, and each method returns in the thread that called
// it; callbacks come in that thread too, and must not throw. What a method does to the process
// meanwhile, for the other threads to know:
// - run, exec, attach and the like in the foreground hold back signals in the calling thread, to
//   hand them on: block those in the other threads. shut_down and pushes do not hand on, but wait.
// - Children of ours send SIGCHLD and are reaped by pidfd. Do not ignore SIGCHLD, and do not wait
//   for any child (-1), which would take theirs.
// - A child that has not executed its program yet has copies of all open descriptors: make yours
//   close-on-exec.
// - In an ordinary user's program, the methods about files of containers and images move the whole
//   process into a user namespace: they refuse when it has other threads.

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "knarr/attach.h"
#include "knarr/cgroup_manager.h"
#include "knarr/checkpoint.h"
#include "knarr/container.h"
#include "knarr/events.h"
#include "knarr/exec.h"
#include "knarr/files.h"
#include "knarr/image.h"
#include "knarr/logs.h"
#include "knarr/own_log.h"
#include "knarr/result.h"
#include "knarr/run.h"
#include "knarr/stats.h"
#include "knarr/update.h"
#include "knarr/upkeep.h"
#include "knarr/volume.h"

namespace knarr {

namespace engine {
class StateRoot;
}

struct EngineOptions {
    std::string root = "/run/knarr";           ///< state directory: ours, made 0700 if missing
    std::string data_root = "/var/lib/knarr";  ///< images; opened only by what needs them
    /// Called for what is worth saying but fails nothing: ignored settings, a poststop hook.
    std::function<void(std::string_view)> warn = {};
    /// Whether to hold the caller for less than the host's root: cgroups only where they are
    /// delegated. Nothing: by its user and user namespace.
    std::optional<bool> rootless = {};
    CgroupManager cgroup_manager = CgroupManager::cgroupfs;
    /// Called before a process of ours can be seen by a container's programs (exec, hooks
    /// startContainer, a pid namespace that is joined), which may then get hold of our own file
    /// through /proc/PID/exe. For run_from_unwritable_file() of knarr/unwritable.h, where that was
    /// not called at the start: without either, root's containers can overwrite the program.
    std::function<Result<>()> before_seen = {};
    std::string policy = "default";    ///< of limits on images and memory: "default" or "strict"
    std::string snapshot_driver = {};  ///< for pulls that do not choose: see PullOptions
    OwnLog monitor_log = {};           ///< of the monitors that are started
    /// Called with the container that a method is about, as soon as it is known, for who keeps a
    /// log: its ID, or what the caller called it where there is none of that name.
    std::function<void(std::string_view id)> about = {};
};

class Engine {
public:
    /// Opens the state directory.
    /// Errors: denied when it belongs to somebody else or others may write it.
    static Result<Engine> open(EngineOptions options);

    Engine(Engine&&) noexcept;
    Engine& operator=(Engine&&) noexcept;
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;
    ~Engine();

    /// Sets the container up to the point where only its program is missing.
    /// Errors: already_exists; invalid_config, missing_rootfs, unsupported, hook_failed, denied;
    /// limit_exceeded. Whatever fails, nothing is left behind.
    Result<> create(const BundleRequest& request);
    // From here on `id` is an ID, the name of a container made from an image, or the beginning, two
    // or more characters, of such a container's ID.

    /// Lets the program of a created container run; one of an image that has ended runs again, in
    /// the background, and one of an image that runs stays as it is. With service.notify_socket, as
    /// at create, it returns when the program has said that it is ready, or has ended. Errors:
    /// wrong_state; exec_not_found, exec_failed, hook_failed.
    Result<> start(std::string_view id, const ServiceLinks& service = {});
    /// create and start in one; the program inherits stdin, stdout and stderr. The exit code is
    /// 0-255, 128+n after signal n; 0 at once when detached, with service.notify_socket when it is
    /// ready.
    Result<int> run(const BundleRequest& request, RunMode mode);
    /// Errors: not_found; corrupt with the path of the damaged record.
    Result<ContainerInfo> state(std::string_view id) const;
    /// The last launch that failed of the container which has or had this ID, beginning of an ID or
    /// name, where that is not forgotten. What failed before there was a container is not there.
    Result<std::optional<LaunchFailure>> last_failure(std::string_view text) const;
    /// All containers, by ID. Damaged ones are there with `damage` set. Errors: io, denied.
    Result<std::vector<ContainerInfo>> list() const;
    /// Sends signal `number` (0 to 64). A process that dies meanwhile is success.
    /// Errors: wrong_state when the container is stopped.
    Result<> kill(std::string_view id, int number, KillTarget target = KillTarget::init);
    /// Freezes all processes of a running container until resume(); they can still be killed. A
    /// failure leaves it running.
    /// Errors: wrong_state; unsupported when it has no cgroup or that no freezer; timed_out.
    Result<> pause(std::string_view id);
    /// Lets a paused container go on, whoever paused it.
    /// Errors: as pause; wrong_state also when a cgroup above it is frozen.
    Result<> resume(std::string_view id);
    /// Changes the limits of a created, running or paused container, all of them or none. One of an
    /// image keeps them for its later runs, and may have ended or not have run yet.
    /// Errors: wrong_state; invalid_config, when they contradict each other or those in force;
    /// unsupported names the controller or file that this host lacks.
    Result<> update(std::string_view id, const UpdateRequest& request);
    /// The pids of all processes in the container's cgroup, in the caller's pid namespace; none
    /// when it is stopped. Errors: unsupported when it has no cgroup.
    Result<std::vector<int>> processes(std::string_view id) const;
    /// What ps(1) says about them, called with `options` ("-ef" when empty), and its heading.
    /// Errors: unsupported when there is no ps; invalid_argument for options without a PID column.
    Result<std::string> process_table(std::string_view id,
                                      const std::vector<std::string>& options) const;
    /// What the container uses now. Errors: wrong_state when it is stopped.
    Result<Statistics> statistics(std::string_view id) const;
    /// Tells the statistics every `interval`, and each time that the container runs out of memory,
    /// until it ends, `tell` fails or `cancel_fd` becomes readable (-1: none). Errors: as
    /// statistics; that of `tell`.
    Result<> watch(std::string_view id,
                   std::chrono::milliseconds interval,
                   const std::function<Result<>(const StatsSample&)>& tell,
                   int cancel_fd = -1) const;
    /// Runs a further process in a created or running container, with the container's namespaces,
    /// cgroup, filter and limits; it inherits stdin, stdout and stderr. Its exit code as of run();
    /// 0 at once when detached, and when left by detach_keys. Its signals are forwarded meanwhile.
    /// Errors: not_found; wrong_state when stopped or paused; invalid_argument for an unknown user
    /// or keys that are none; exec_not_found, exec_failed; timed_out.
    Result<int> exec(std::string_view id, const ExecRequest& request);
    /// Makes a probe of a container's health check now; its result counts as any other.
    /// Errors: unsupported without a health check; wrong_state when it does not run, or is being
    /// probed.
    Result<ProbeResult> probe(std::string_view id);
    /// Writes the processes of a running or paused container into files, by the program criu, and
    /// removes the container unless it is to run on. One that fails leaves it as it was.
    /// Errors: wrong_state; unsupported without criu, or with what its log says.
    Result<> checkpoint(std::string_view id, const CheckpointRequest& request);
    /// Makes a container of a bundle and of such files. Its exit code as of run(), 0 at once when
    /// detached. Only the bundle says what of the host it gets to see.
    /// Errors: as create; unsupported as of checkpoint.
    Result<int> restore(const RestoreRequest& request);
    /// Waits until the container has ended; its exit code where this process started it, the record
    /// has it or the kernel (6.15 and newer) tells it. Errors: not_found, corrupt; interrupted
    /// when `cancel_fd` (a signalfd, an eventfd; -1: none) becomes readable before.
    Result<std::optional<int>> wait(std::string_view id, int cancel_fd = -1);
    /// Removes all that a container consists of and runs its poststop hooks.
    /// Errors: not_found, wrong_state when it runs (both never with force), timed_out.
    Result<> remove(std::string_view id,
                    RemoveMode mode,
                    AnonymousVolumes volumes = AnonymousVolumes::stay);

    /// Runs an image in the foreground: pulls it as `request.pull` says, makes a container with
    /// safe defaults and a layer of its own, and runs it as run() does. The exit code is the
    /// program's. Errors: those of pull_image and run; image_not_found; already_exists for a name.
    Result<int> run_image(const RunRequest& request, const PullProgressFn& progress);
    /// The same in the background: the container's ID, when its program runs. A small process, its
    /// monitor, keeps what it writes (logs()) and learns how it ends.
    Result<std::string> run_image_in_background(const RunRequest& request,
                                                const PullProgressFn& progress);
    /// The same with the caller in front of it, as attach() is, from its first byte on; without
    /// output among `request.streams` until all its input is passed on. Errors: also unsupported
    /// for one with neither terminal nor log.
    Result<std::optional<int>> run_image_attached(const RunRequest& request,
                                                  const AttachRequest& attach,
                                                  const PullProgressFn& progress);
    /// In front of a container that runs in the background until it has ended: its exit code; or
    /// until the detach keys are typed: nothing. Errors: wrong_state; unsupported for one that runs
    /// in the foreground of another knarr; interrupted by a signal that is not passed on.
    Result<std::optional<int>> attach(std::string_view id, const AttachRequest& request);
    /// start() of a container of an image with the caller in front of it.
    Result<std::optional<int>> start_attached(std::string_view id, const AttachRequest& request);
    /// Makes such a container without running it, for start(); its ID. Errors: as run_image.
    Result<std::string> create_from_image(const RunRequest& request,
                                          const PullProgressFn& progress);
    /// Ends a container by its stop signal, after a time by SIGKILL; returns when its end is
    /// recorded. One that has ended is no error. Errors: not_found; timed_out.
    Result<> stop(std::string_view id, const StopRequest& request);
    /// stop() of several side by side: all are sent their signals before the end of one is waited
    /// for. What became of each, in their order.
    std::vector<Result<>> stop_all(std::span<const std::string> ids, const StopRequest& request);
    /// stop() and start() of a container of an image. Errors: unsupported for one of a bundle.
    Result<> restart(std::string_view id, const StopRequest& request);
    /// Tells what happened to containers of images, the oldest first, and what happens from now on.
    /// A bounded log keeps it; one who reads too slowly is told how much is lost.
    /// Errors: that of `sink`.
    Result<> events(const EventRequest& request, const EventSink& sink) const;
    /// Brings all containers to a state that their next verb can go on from, whoever was killed:
    /// those that nobody watches get monitors, those that ended unseen are recorded, what killed
    /// launches left goes, damaged records come back from their copies. After a reboot, and after
    /// shut_down(), containers start as their restart policies say. With `force` those that nobody
    /// watches are ended, and damaged records without a copy put aside.
    Result<std::vector<UpkeepStep>> recover(bool force);
    /// Removes containers and files; with dry_run it says which.
    Result<std::vector<UpkeepStep>> clean_up(const CleanupRequest& request);
    /// Ends all containers side by side, by SIGKILL after `timeout` or when this process is sent
    /// INT or TERM for the second time; they start again at the next recover(). Errors: interrupted
    /// when `cancel_fd` (-1: none) becomes readable; all have been sent their stop signal then.
    Result<std::vector<UpkeepStep>> shut_down(std::chrono::seconds timeout, int cancel_fd = -1);
    /// What a container in the background wrote, oldest first.
    /// Errors: unsupported for one without a log; that of `sink`.
    Result<> logs(std::string_view id, const LogRequest& request, const LogSink& sink) const;
    /// When it runs again by itself from now on. Errors: unsupported for one without a monitor.
    Result<> set_restart_policy(std::string_view id, const RestartPolicy& policy);
    /// Errors: already_exists, invalid_argument; unsupported for a container of a bundle.
    Result<> rename(std::string_view id, const std::string& name);
    /// All about a container as docker's API has it: one JSON object; SizeRw and SizeRootFs (bytes)
    /// with Sizes::shown. Errors: not_found, corrupt.
    Result<std::string> inspect(std::string_view id, Sizes sizes = Sizes::left_out) const;

    // --- files of containers and volumes. An ordinary user's containers have files of users who
    // are given to him (/etc/subuid): these methods then move the calling process, which must have
    // a single thread, into the user namespace that those belong to, for good ---
    /// What a container has otherwise than its image. Errors: not_found; unsupported for one of a
    /// bundle.
    Result<std::vector<FileChange>> changes(std::string_view id) const;
    /// Files into a container or out of it, with docker's rules. Errors: not_found;
    /// invalid_argument for a destination that cannot be.
    Result<> copy(const CopyRequest& request) const;
    /// Writes a container's root file system as a tar into a new file, or to standard output when
    /// `path` is empty. Errors: not_found; io, and then there is no file.
    Result<> export_files(std::string_view id, const std::string& path) const;
    /// Makes a volume; one that is there stays as it is. Errors: invalid_argument for the name.
    Result<VolumeInfo> make_volume(const VolumeWish& wish);
    /// All by name; and one. Errors: not_found.
    Result<std::vector<VolumeInfo>> volumes() const;
    Result<VolumeInfo> volume(const std::string& name) const;
    /// With all that is in it. Errors: not_found; wrong_state, naming the containers that have it.
    Result<> remove_volume(const std::string& name);

    /// Brings an image into the store: a reference, "oci:DIR[:TAG]", "oci-archive:FILE[:TAG]" or
    /// "docker-archive:FILE[:TAG]". Its ID.
    Result<std::string> pull_image(const std::string& name,
                                   const PullOptions& options,
                                   const PullProgressFn& progress);
    /// Sends a stored image to a registry. Errors: image_not_found; those of the registry, with
    /// what was pushed before.
    Result<PushedImage> push_image(const PushRequest& request,
                                   const PullProgressFn& progress) const;
    /// All stored images, by their first reference. Errors: io, denied, corrupt of the store.
    Result<std::vector<ImageSummary>> images() const;
    /// One image as `docker image inspect` shows it: one JSON object. Errors: image_not_found;
    /// invalid_argument for no name; corrupt.
    Result<std::string> inspect_image(std::string_view name) const;
    /// Removes a reference, and with the last one the image; an ID with several references, and an
    /// image that a container stands on, which keeps its layers, with force alone.
    /// Errors: image_not_found; image_in_use, naming what is in the way, with force a container
    /// that runs.
    Result<RemovedImage> remove_image(std::string_view name,
                                      RemoveMode mode = RemoveMode::when_stopped);

    /// Gives an image a further name; a name that another image has moves. The canonical name.
    Result<std::string> tag_image(std::string_view name, std::string_view new_name);
    /// Takes names from an image, all of them when `names` is empty; the image stays. What was
    /// taken. Errors: image_not_found; invalid_argument for a name of another image.
    Result<std::vector<std::string>> untag_image(std::string_view name,
                                                 const std::vector<std::string>& names);
    /// How it was made, step by step. Errors: as inspect_image.
    Result<std::vector<HistoryStep>> image_history(std::string_view name) const;
    /// Writes images into an archive that docker, podman and skopeo read. Errors: image_not_found;
    /// io of the file.
    Result<> save_images(const SaveRequest& request) const;
    /// Stores all images of a docker archive, OCI archive or OCI layout, told apart by content.
    Result<std::vector<LoadedImage>> load_images(const std::string& path,
                                                 const PullOptions& options,
                                                 const PullProgressFn& progress);

    // --- files of images, for root alone ---
    /// What an image has otherwise than `other`; without one, than itself without its uppermost
    /// layer. Errors: image_not_found; unsupported.
    Result<std::vector<FileChange>> image_changes(std::string_view name,
                                                  std::optional<std::string_view> other = {}) const;
    /// Mounts its files, read-only; where. They stay, and the image, until unmounted as often.
    Result<std::string> mount_image(std::string_view name);
    /// Its ID. Errors: wrong_state when it is not mounted; image_in_use below it.
    Result<std::string> unmount_image(std::string_view name, UnmountMode mode = UnmountMode::one);
    Result<std::vector<MountedImage>> mounted_images() const;
    /// Copies its files into a directory, which is made or empty. Errors: invalid_argument.
    Result<> write_rootfs(std::string_view name, const std::string& directory) const;
    /// Writes its files, flattened, as a tar; `path` as of export_files.
    Result<> export_image(std::string_view name, const std::string& path) const;

    // --- logins for registries, as podman and docker keep them; they need no state ---
    /// Tries a login and keeps it. Errors: unauthorized, and nothing is kept.
    static Result<LoginReport> log_in(const LoginRequest& request);
    /// `auth_file` may be empty: the usual place. Nobody is logged in: `place` is empty. Errors:
    /// not_found where another file has the login.
    static Result<LoginReport> log_out(const std::string& registry, const std::string& auth_file);
    /// The registries that were logged in at.
    static Result<std::vector<std::string>> log_out_everywhere(const std::string& auth_file);
    /// As whom a pull from there would log in.
    static Result<std::optional<std::string>> logged_in_user(const std::string& registry,
                                                             const std::string& auth_file);

    // --- what a registry has; these need no state either ---
    /// Errors: those of the registry.
    static Result<RemoteTags> list_tags(const RemoteRequest& request);
    static Result<RemoteReferrers> list_referrers(const RemoteRequest& request);
    /// The manifest that a name means, without what it is of. Errors: image_not_found.
    static Result<RemoteManifest> inspect_manifest(const RemoteRequest& request,
                                                   RemoteDetail detail);
    /// Deletes the manifest with all its tags. Errors: unsupported where that is not allowed.
    static Result<RemoteImage> delete_remote(const RemoteRequest& request);

    // --- the store's upkeep; any number of processes pull, run and collect at the same time ---
    /// Removes blobs and layers that no image, no container and no running pull needs.
    Result<RemovedGarbage> collect_garbage();
    /// Removes images that no container uses, as `request` says, and the garbage.
    Result<PrunedImages> prune_images(const PruneRequest& request);
    /// Reads every byte of the named images' blobs again, of all blobs when there is no name.
    /// Errors: image_not_found. Damage is no error but in the report.
    Result<VerifyReport> verify_images(const std::vector<std::string>& names, DamagePolicy policy);
    /// What it takes on disk. Errors: io, denied, corrupt of the store.
    Result<StoreUsage> image_usage() const;

private:
    explicit Engine(EngineOptions options, std::unique_ptr<engine::StateRoot> root);
    EngineOptions options_;
    std::unique_ptr<engine::StateRoot> root_;
};

}  // namespace knarr
