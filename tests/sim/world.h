#pragma once
// The simulated machine: its processes, its tree of files, its clock, and who runs next.
//
// Each simulated process is a real process, forked from the test, which waits for its turn; one
// runs at a time, and passes the turn on in a simulated system call alone (schedule.cpp). The code
// under test is the real one, linked with `ld --wrap`: its calls of the C library end in calls.cpp.
// So fork, exit and kill have the memory semantics of the real thing, and a process that is killed
// between two system calls is really gone.

#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <string>
#include <string_view>

#include <sys/ioctl.h>
#include <sys/types.h>
#include <termios.h>
#include <time.h>

#include "sim/arena.h"

namespace knarr::sim {

struct Process;
struct File;
struct Inode;

/// What a process waits for: an address in the arena. Whoever changes the thing wakes those.
using Channel = const void*;

struct Pipe {
    Queue<char> bytes;
    std::size_t capacity = 65536;
    int readers = 0, writers = 0;
    std::uint64_t opened_to_write = 0;  // how often
};

struct PacketData {
    Text bytes;
    List<File*> files;
};
struct Socket {
    int type = 0;
    Socket* peer = nullptr;  // gone: null after it was connected
    bool connected = false, listening = false, shut = false;
    Queue<PacketData> inbox;
    Queue<Socket*> backlog;  // of connections that nobody has accepted
    Process* owner = nullptr;
};

/// A pseudo terminal. Its inode is the slave's.
struct Terminal {
    Inode* node = nullptr;
    Queue<int> typed;       // kEndTyped: the end of input
    std::size_t lines = 0;  // whole ones in it
    Queue<char> shown;      // for the master
    termios settings{};
    winsize size{};
    int masters = 0;
    List<File*> slaves;  // that are not hung up
    bool was_opened = false;
    pid_t session = 0, foreground = 0;
    bool is_window = false;  // a person's: the test types,
    Text screen;             // and sees this
};
inline constexpr int kEndTyped = 256;

struct Cgroup {
    Inode* dir = nullptr;
    Cgroup* parent = nullptr;
    bool frozen = false;
};

enum class Kind : std::uint8_t {
    regular,
    directory,
    link,
    fifo,
    socket,
    device,
    proc,         // the root of procfs
    cgroup_file,  // a control file; the directory has `cgroup`
    anonymous,    // of a descriptor without a name
};

struct FileLock {
    File* holder = nullptr;
    bool exclusive = false;
};

/// How the name of a file of memfd_create(2) begins: it needs no disk.
inline constexpr const char* kMemoryFile = "/memfd:";

struct Inode {
    Kind kind = Kind::regular;
    std::uint64_t number = 0;
    mode_t mode = 0;
    uid_t uid = 0;
    gid_t gid = 0;
    int links = 1;
    dev_t device = 0;
    Text data;  // a file's bytes, a link's target
    Map<Text, Inode*> entries;
    Inode* parent = nullptr;
    Text name;
    List<FileLock> locks;
    List<File*> watchers;  // inotify
    Pipe* pipe = nullptr;
    Socket* socket = nullptr;
    Cgroup* cgroup = nullptr;
    Terminal* terminal = nullptr;
    // What a power loss leaves, where it was ever synced.
    bool synced = false;
    Text synced_data;
    Map<Text, Inode*> synced_entries;
    std::int64_t changed = 0;  // of the clock
    long filesystem = 0;       // statfs f_type
};

enum class FileKind : std::uint8_t {
    inode,
    pipe,
    socket,
    pidfd,
    signals,
    events,
    inotify,
    timer,
    master,
    slave,
    other,  // may be held and closed
};

/// An open file description.
struct File {
    FileKind kind = FileKind::inode;
    int references = 0;
    int flags = 0;
    std::uint64_t position = 0;
    Inode* inode = nullptr;
    Pipe* pipe = nullptr;
    /// Of a FIFO that nobody wrote to when it was opened to read: its `opened_to_write` then. Until
    /// somebody does, it does not hang up.
    std::uint64_t awaits_writer = UINT64_MAX;
    Socket* socket = nullptr;
    Process* process = nullptr;
    Terminal* terminal = nullptr;
    bool hung_up = false;       // a slave whose terminal is gone
    std::int64_t expires = -1;  // of a timer, by the clock
    std::uint64_t signals = 0;  // the mask
    std::uint64_t count = 0;    // of an eventfd; unread events of inotify
    Text text;                  // what procfs and cgroupfs made up when it was opened
    bool made_up = false;
};

struct Descriptor {
    File* file = nullptr;
    bool close_on_exec = false;
};

enum class Life : std::uint8_t { ready, waiting, zombie, reaped };
enum class Role : std::uint8_t { client, ours, program };

/// Of pids: 0 is the host's.
struct PidSpace {
    Process* init = nullptr;
    pid_t last = 0;
};

struct MountSpace {
    Map<std::uint64_t, Inode*> mounts;  // number of the inode covered -> root of what is mounted
};

/// What is to happen to a process, before its call of that number; -1: never.
struct Fate {
    std::int64_t kill_at = -1;
    std::int64_t fail_at = -1;  // or the first one after it that can fail: EIO
    std::int64_t full_at = -1;  // the disk is full from then on
};

struct Process {
    int slot = 0;
    pid_t real = 0;  // of the process that plays it
    pid_t pid = 0;   // of the host
    pid_t own_pid = 0;
    PidSpace* pids = nullptr;        // it is in
    PidSpace* child_pids = nullptr;  // its children will be in
    MountSpace* mounts = nullptr;
    Process* parent = nullptr;  // null: the host's init, which reaps at once
    pid_t group = 0, session = 0;
    Role role = Role::client;
    Text name;
    std::uint64_t start_ticks = 0;
    Life life = Life::ready;
    bool stopped = false;
    int status = 0;  // wait form
    List<Channel> waits;
    std::int64_t deadline = -1;
    bool alarmed = false;  // the deadline was why it woke
    Map<int, Descriptor> files;
    Inode* root = nullptr;
    Inode* cwd = nullptr;
    Inode* exe = nullptr;
    Cgroup* cgroup = nullptr;
    mode_t umask = 022;
    bool subreaper = false;
    int death_signal = 0;
    std::uint64_t pending = 0, blocked = 0, ignored = 0, handled = 0;
    std::uint64_t calls = 0;
    Fate fate;
    int victim_below = 0;       // the first child of the first child ... so far below
    Fate victim_fate;           // has this one
    bool may_fail = false;      // faults hit it
    bool tells_nobody = false;  // made by the test: its end counts as reaped
    Text answer;                // of a client, for the test
    List<Text> words;           // of a program,
    std::size_t word = 0;       // and at which it is
};

struct Settings {
    std::uint64_t seed = 1;
    unsigned switch_percent = 12;  // how often a call is where another goes on
    unsigned kill_ppm = 0;         // of calls of our processes before which they are killed
    unsigned fault_ppm = 0;        // of calls that can fail so
    bool frozen_outlive = false;   // a frozen process dies when it is thawed, as with a v1 freezer
    bool torn_rename = false;      // a planted bug: renaming is not atomic
    bool lost_locks = false;       // a planted bug: flock says yes to everybody
    bool lossy_splice = false;     // a planted bug: the last byte moved is dropped
    bool trace = false;            // to stderr
};

inline constexpr int kMaxProcesses = 4096;
inline constexpr std::size_t kKeptLines = 400;

struct World {
    Settings settings;
    std::uint64_t random = 0;
    std::int64_t now = 0;        // ns since boot
    std::int64_t wall_jump = 0;  // ns: somebody has set the clock
    bool disk_full = false;      // nothing is made and no file grows
    int boots = 0;
    std::uint64_t calls = 0, switches = 0, kills = 0, faults = 0;
    std::uint64_t hash = 0xcbf29ce484222325U;
    Queue<Text> lines;  // the last ones of the trace
    List<Process*> processes;
    List<Terminal*> terminals;
    std::array<std::atomic<std::uint32_t>, kMaxProcesses> turn{};
    Fate criu_fate;           // of the next CRIU that dumps or restores
    Text machine = "x86_64";  // of uname(2)
    List<pid_t> awaited;      // the test goes on when all have ended,
    std::int64_t until = -1;  // or at this time,
    bool idle = false;        // or because nobody will ever run again
    Text broken;              // what the simulated kernel was asked for and does not know
    pid_t last_pid = 100;
    std::uint64_t last_inode = 1;
    Inode* root = nullptr;
    PidSpace* host_pids = nullptr;
    MountSpace* host_mounts = nullptr;
    Cgroup* root_cgroup = nullptr;
    int files_open = 0;
};

extern World* world;   // in the arena
extern Process* self;  // this process; null in the test itself

// --- schedule.cpp ---
std::uint64_t draw();
bool chance(std::uint64_t ppm);
/// One line of the trace.
void note(std::string_view event);
/// Before each system call: time goes on, others may run, the process may be killed. Whether the
/// call is to fail.
enum class Fault : std::uint8_t { none, disk, descriptors, processes };
int begin_call(const char* name, std::string detail, Fault fault);
/// After it: notes the result, sets errno, runs handlers of signals.
long end_call(long result);
/// Lets others run until one of the channels was woken or the time (of the clock, -1: none) came.
/// False: the time. A signal to be handled wakes, too.
bool wait_on(const List<Channel>& channels, std::int64_t deadline);
void wake(Channel channel);
/// Whether a signal waits that this process handles or dies of.
bool interrupted();
[[noreturn]] void end_self(int status);
/// Ends any process as the kernel does: its descriptors, its children, its parent.
void end_process(Process& process, int status);
void kill_process(Process& process, int status);
void send_signal(Process& to, int number);
void signal_group(pid_t group, int number);
void reap(Process& process);
/// Passes the turn to whoever is next and waits for one's own; the test calls it, too.
void run_others();
void await_turn(int slot);
[[noreturn]] void not_simulated(const char* what);
bool is_alive(const Process& process);
/// By the number that the caller knows it by.
Process* find_process(pid_t pid);
std::int64_t wall_time();

// --- tree.cpp ---
struct Found {
    Inode* dir = nullptr;      // where the last name is looked up
    std::string name;          // empty: the path ends in "/", "." or ".."
    Inode* inode = nullptr;    // null: there is no such entry
    std::string link;          // of a link of procfs that is not followed
    File* reopened = nullptr;  // through /proc/self/fd/N
};
inline constexpr unsigned kNoFollow = 1, kInRoot = 2, kBeneath = 4, kNoLinks = 8;
/// 0 or -errno; ENOENT only for what lies above the last name.
int walk(int dir, std::string_view path, unsigned flags, Found& found);
Inode* new_inode(Kind kind, mode_t mode);
int add_entry(Inode* dir, const std::string& name, Inode* inode);
/// The same of something new, for which there must be room.
int make_entry(Inode* dir, const std::string& name, Inode* inode);
void remove_entry(Inode* dir, std::string_view name);
/// The path of an inode from the root directory of a process.
std::string path_of(const Process& process, const Inode* inode);
/// What fsync(2) and syncfs(2) are for; what was not synced is lost with the power.
void sync_inode(Inode& inode);
void sync_tree(Inode& inode);
void lose_unsynced(Inode& inode);
Inode* mounted_on(Inode* inode);
void mount_on(Inode* place, Inode* root);
void tell_watchers(Inode* dir);
/// The tree of a fresh machine.
void make_tree();
Inode* make_path(std::string_view path, Kind kind, std::string_view text);

// --- procfs.cpp ---
std::string proc_text(const Process& of, std::string_view file, bool& known);
std::string system_text(std::string_view file, bool& known);

// --- cgroups.cpp ---
int make_cgroup(Inode* parent, const std::string& name, Inode*& made);
int remove_cgroup(Inode* dir);
std::string read_cgroup_file(const Inode& file);
int write_cgroup_file(Inode& file, std::string_view text);
std::string path_of(const Cgroup& cgroup);
bool is_frozen(const Cgroup* cgroup);

// --- files.cpp ---
File* file_of(int fd);
int install(File* file, bool close_on_exec, int lowest = 0);
void drop(File* file);
void close_all(Process& process);
long read_from(File* file, char* to, std::size_t bytes, std::int64_t at);
long write_to(File* file, const char* from, std::size_t bytes, std::int64_t at);

// --- polling.cpp ---
unsigned readiness(const File& file);
void add_channels(const File& file, List<Channel>& channels);

// --- terminals.cpp ---
Terminal* new_terminal();
/// What /dev/pts/ptmx in a devpts is for.
File* open_master(Inode* ptmx, int flags);
/// -EIO when its master is gone.
long open_slave(Terminal& terminal, int flags);
void close_terminal(File* file);
long read_terminal(File* file, char* to, std::size_t bytes);
long write_terminal(File* file, const char* from, std::size_t bytes);
/// The device of ptmx.
inline constexpr dev_t kMultiplexer = 0x502;  // 5, 2
/// Bytes that the master's side types.
void type_into(Terminal& terminal, std::string_view bytes);
void resize_terminal(Terminal& terminal, const winsize& size);
/// As when the window is closed.
void hang_up(Terminal& terminal);
/// What the end of a session's first process does.
void leave_terminals(const Process& leader);
unsigned terminal_readiness(const File& file);

// --- programs.cpp ---
/// Becomes the program of this file: never returns. -errno when it is none.
int become(Inode* file, const std::vector<std::string>& arguments);
/// Goes on as a container's program with these words, from one of them on.
[[noreturn]] void go_on(const std::vector<std::string>& words, std::size_t from);

}  // namespace knarr::sim
