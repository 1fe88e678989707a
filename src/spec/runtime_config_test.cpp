#include "spec/runtime_config.h"

#include <gtest/gtest.h>

#include "core/limits.h"
#include "spec/podman_config_for_tests.h"
#include "spec/testdata_for_tests.h"

namespace knarr::spec {
namespace {

std::string refusal(std::string_view json) {
    const auto result = decode_runtime_config(json);
    if (!result) {
        EXPECT_EQ(result.error().code, Errc::invalid_config) << result.error().message;
        return result.error().message;
    }
    return "(accepted)";
}

RuntimeConfig decoded(std::string_view json) {
    auto result = decode_runtime_config(json);
    if (!result) {
        ADD_FAILURE() << result.error().message;
        return {};
    }
    return *std::move(result);
}

/// A config whose linux object has `members`.
std::string with_linux(std::string_view members) {
    return fmt::format(R"({{"ociVersion":"1.3.0","linux":{{{}}}}})", members);
}

/// A config whose process has `members` besides args and cwd.
std::string with_process(std::string_view members) {
    return fmt::format(R"({{"ociVersion":"1.3.0","process":{{"args":["a"],"cwd":"/",{}}}}})",
                       members);
}

TEST(RuntimeConfig, EveryPropertyOfTheSpecificationSurvivesARoundTrip) {
    const std::string golden = testing::testdata("full.json");
    ASSERT_FALSE(golden.empty());
    const RuntimeConfig config = decoded(golden);
    EXPECT_EQ(encode_runtime_config(config) + "\n", golden);
}

TEST(RuntimeConfig, UnknownPropertiesAndNullsAreIgnored) {
    const RuntimeConfig config = decoded(testing::testdata("full_with_unknown.json"));
    EXPECT_EQ(encode_runtime_config(config) + "\n", testing::testdata("full.json"));
}

TEST(RuntimeConfig, PodmansConfigWithALongSeccompProfileIsDecoded) {
    for (const JsonLayout layout : {JsonLayout::compact, JsonLayout::indented}) {
        const RuntimeConfig config = decoded(testing::podman_config(400, layout));
        ASSERT_TRUE(config.linux_ && config.linux_->seccomp);
        EXPECT_EQ(config.linux_->seccomp->syscalls.size(), 400u);
        EXPECT_EQ(config.linux_->seccomp->syscalls[7].errno_ret, 1u);
        EXPECT_EQ(config.linux_->seccomp->syscalls[10].args[0].value_two, 10u);
        EXPECT_EQ(config.process->args[2], "echo \"hi\" \\ there\n");
        EXPECT_EQ(config.linux_->resources->pids_limit, 2048);
        EXPECT_EQ(config.mounts.size(), 9u);
        const std::string encoded = encode_runtime_config(config);
        EXPECT_EQ(encode_runtime_config(decoded(encoded)), encoded);
    }
}

TEST(RuntimeConfig, NumbersAreReadWithTheirFullRangeAndSign) {
    const RuntimeConfig config = decoded(testing::testdata("full.json"));
    EXPECT_EQ(config.process->rlimits[0].hard, UINT64_MAX);
    EXPECT_EQ(config.process->user.umask, 63u);
    EXPECT_EQ(config.process->oom_score_adj, -1000);
    EXPECT_EQ(config.linux_->resources->memory->swap, -1);
    EXPECT_EQ(config.linux_->seccomp->syscalls[2].args[0].value, UINT64_MAX);
    EXPECT_EQ(config.linux_->time_offsets.at("monotonic").secs, -172800);
    EXPECT_EQ(config.linux_->namespaces[1].type, NamespaceType::network);
    EXPECT_EQ(config.linux_->namespaces[7].type, NamespaceType::time);
    EXPECT_EQ(config.linux_->devices[2].type, 'p');
}

TEST(RuntimeConfig, MissingMembersKeepTheirDefaults) {
    const RuntimeConfig config = decoded(R"({"ociVersion":"1.0.0","root":null,"hooks":null})");
    EXPECT_FALSE(config.process || config.root || config.linux_);
    const RuntimeConfig some = decoded(with_process(R"("user":{},"rlimits":null)"));
    EXPECT_EQ(some.process->user.uid, 0u);
    EXPECT_FALSE(some.process->user.umask || some.process->oom_score_adj);
    const RuntimeConfig rule = decoded(with_linux(R"("resources":{"devices":[{"allow":true}]})"));
    EXPECT_EQ(rule.linux_->resources->devices[0].type, 'a');
    EXPECT_FALSE(rule.linux_->resources->devices[0].major);
    EXPECT_FALSE(rule.linux_->resources->pids_limit);
}

TEST(RuntimeConfig, VersionsOfTheFirstMajorAreAccepted) {
    for (const char* version :
         {"1.0.0", "1.0.2-dev", "1.0.0-rc5", "1.0.0-rc.1+build.5", "1.99.0"}) {
        EXPECT_EQ(decoded(fmt::format(R"({{"ociVersion":"{}"}})", version)).oci_version, version);
    }
    for (const char* version : {"",
                                "1",
                                "1.0",
                                "2.0.0",
                                "0.5.0",
                                "1.0.0-",
                                "1.0.0.0",
                                "01.0.0",
                                "1.0.x",
                                "v1.0.0",
                                "1.0.0-é"}) {
        EXPECT_EQ(refusal(fmt::format(R"({{"ociVersion":"{}"}})", version)),
                  fmt::format("config.json: ociVersion: \"{}\" is not a version 1.x.y of the "
                              "runtime specification",
                              version));
    }
    EXPECT_EQ(refusal("{}"), "config.json: ociVersion: is missing");
}

TEST(RuntimeConfig, ConsoleSizeIsIgnoredWithoutATerminal) {
    EXPECT_FALSE(
        decoded(with_process(R"("consoleSize":{"height":1,"width":2})")).process->console_size);
    EXPECT_EQ(decoded(with_process(R"("terminal":true,"consoleSize":{"height":1,"width":2})"))
                  .process->console_size->width,
              2u);
}

TEST(RuntimeConfig, RelativeMountDestinationsAreTakenFromTheRoot) {
    const RuntimeConfig config =
        decoded(R"({"ociVersion":"1.0.0","mounts":[{"destination":"proc/x"}]})");
    EXPECT_EQ(config.mounts[0].destination, "/proc/x");
}

TEST(RuntimeConfig, SwappinessOfMinusOneAsOlderEnginesWriteItMeansNotSet) {
    const RuntimeConfig config =
        decoded(with_linux(R"("resources":{"memory":{"swappiness":18446744073709551615}})"));
    EXPECT_FALSE(config.linux_->resources->memory->swappiness);
}

TEST(RuntimeConfig, ASeccompObjectWithoutActionAndRulesIsNoFilter) {
    EXPECT_FALSE(decoded(with_linux(R"("seccomp":{})")).linux_->seccomp);
}

TEST(RuntimeConfig, ALargerFileThanTheLimitIsRefused) {
    std::string json = R"({"ociVersion":"1.0.0"})";
    json.resize(limits::kMaxBundleConfigBytes, ' ');
    EXPECT_TRUE(decode_runtime_config(json));
    json += ' ';
    const auto result = decode_runtime_config(json);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::limit_exceeded);
}

TEST(RuntimeConfig, TruncatedAtEveryByteIsRefused) {
    std::string golden = testing::testdata("full.json");
    golden.pop_back();  // the line break: without it the document is still whole
    for (std::size_t size = 0; size < golden.size(); ++size) {
        // A copy of its own, so that a sanitizer sees every read beyond the end.
        const std::vector<char> part(golden.begin(),
                                     golden.begin() + static_cast<std::ptrdiff_t>(size));
        EXPECT_FALSE(decode_runtime_config({part.data(), part.size()})) << size;
    }
}

struct Refusal {
    std::string json;
    const char* message;  // without "config.json: "
};

void expect_refusals(const std::vector<Refusal>& rows) {
    for (const Refusal& row : rows) {
        EXPECT_EQ(refusal(row.json), std::string("config.json: ") + row.message) << row.json;
    }
}

TEST(RuntimeConfigRefuses, WrongTypes) {
    expect_refusals({
        {"[]", "this is an array, not an object"},
        {"null", "this is null, not an object"},
        {R"({"ociVersion":1})", "ociVersion: 1 is a number, not a string"},
        {R"({"ociVersion":"1.0.0","process":"x"})", "process: \"x\" is a string, not an object"},
        {R"({"ociVersion":"1.0.0","mounts":{}})", "mounts: this is an object, not an array"},
        {R"({"ociVersion":"1.0.0","annotations":{"a.b":1}})",
         "annotations[\"a.b\"]: 1 is a number, not a string"},
        {with_process(R"("terminal":"true")"),
         "process.terminal: \"true\" is a string, not true or false"},
        {with_process(R"("env":["a=b",null])"), "process.env[1]: this is null, not a string"},
        {with_process(R"("user":{"uid":1.0})"),
         "process.user.uid: 1 is written with a fraction or an exponent, not as a whole number"},
        {with_process(R"("user":{"uid":1e3})"),
         "process.user.uid: 1000 is written with a fraction or an exponent, not as a whole number"},
        {with_linux(R"("resources":{"memory":{"limit":"12"}})"),
         "linux.resources.memory.limit: \"12\" is a string, not a number"},
        {with_linux(R"("resources":{"unified":{"memory.high":1}})"),
         "linux.resources.unified[\"memory.high\"]: 1 is a number, not a string"},
        {with_linux(R"("seccomp":{"defaultAction":["SCMP_ACT_ALLOW"]})"),
         "linux.seccomp.defaultAction: this is an array, not a string"},
        {with_linux(R"("sysctl":{"a":{}})"), "linux.sysctl.a: this is an object, not a string"},
    });
}

TEST(RuntimeConfigRefuses, NumbersOutOfRange) {
    expect_refusals({
        {with_process(R"("user":{"uid":-1})"),
         "process.user.uid: -1 is not between 0 and 4294967295"},
        {with_process(R"("user":{"additionalGids":[0,4294967296]})"),
         "process.user.additionalGids[1]: 4294967296 is not between 0 and 4294967295"},
        {with_process(R"("user":{"umask":512})"),
         "process.user.umask: 512 is not between 0 and 511 (octal 777)"},
        {with_process(R"("oomScoreAdj":1001)"),
         "process.oomScoreAdj: 1001 is not between -1000 and 1000"},
        {with_process(R"("oomScoreAdj":99999999999)"),
         "process.oomScoreAdj: 99999999999 is not between -2147483648 and 2147483647"},
        {with_process(R"("rlimits":[{"type":"RLIMIT_CPU","soft":0,"hard":18446744073709551616}])"),
         "process.rlimits[0].hard: 1.8446744073709552e+19 is not between 0 and "
         "18446744073709551615"},
        {with_process(R"("ioPriority":{"class":"IOPRIO_CLASS_RT","priority":8})"),
         "process.ioPriority.priority: 8 is not between 0 and 7"},
        {with_process(R"("scheduler":{"policy":"SCHED_OTHER","nice":20})"),
         "process.scheduler.nice: 20 is not between -20 and 19"},
        {with_linux(R"("resources":{"memory":{"limit":-2}})"),
         "linux.resources.memory.limit: -2 is less than -1 (no limit)"},
        {with_linux(R"("resources":{"memory":{"swappiness":101}})"),
         "linux.resources.memory.swappiness: 101 is not between 0 and 100"},
        {with_linux(R"("resources":{"cpu":{"shares":-1}})"),
         "linux.resources.cpu.shares: -1 is not between 0 and 18446744073709551615"},
        {with_linux(R"("resources":{"cpu":{"idle":2}})"),
         "linux.resources.cpu.idle: 2 is not 0 or 1"},
        {with_linux(R"("resources":{"pids":{"limit":-2}})"),
         "linux.resources.pids.limit: -2 is less than -1 (no limit)"},
        {with_linux(R"("resources":{"blockIO":{"weight":1001}})"),
         "linux.resources.blockIO.weight: 1001 is more than 1000"},
        {with_linux(R"("resources":{"blockIO":{"weight":65536}})"),
         "linux.resources.blockIO.weight: 65536 is not between 0 and 65535"},
        {with_linux(R"("resources":{"devices":[{"allow":true,"major":-2}]})"),
         "linux.resources.devices[0].major: -2 is not between -1 (all) and 4294967295"},
        {with_linux(R"("devices":[{"path":"/d","type":"c","major":4096,"minor":0}])"),
         "linux.devices[0].major: 4096 is not between 0 and 4095"},
        {with_linux(R"("devices":[{"path":"/d","type":"b","major":0,"minor":1048576}])"),
         "linux.devices[0].minor: 1048576 is not between 0 and 1048575"},
        {with_linux(
             R"("namespaces":[{"type":"time"}],"timeOffsets":{"boottime":{"nanosecs":1000000000}})"),
         "linux.timeOffsets.boottime.nanosecs: 1000000000 is a second or more"},
        {with_linux(R"("seccomp":{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":4096})"),
         "linux.seccomp.defaultErrnoRet: 4096 is not between 0 and 4095"},
        {R"({"ociVersion":"1.0.0","hooks":{"poststop":[{"path":"/x","timeout":0}]}})",
         "hooks.poststop[0].timeout: 0 is not more than 0"},
    });
}

TEST(RuntimeConfigRefuses, UnknownNames) {
    expect_refusals({
        {with_linux(R"("namespaces":[{"type":"pid"},{"type":"uts"},{"type":"foo"}])"),
         "linux.namespaces[2].type: \"foo\" is none of pid, network, mount, ipc, uts, user, "
         "cgroup, time"},
        {with_process(R"("rlimits":[{"type":"RLIMIT_X","hard":1,"soft":1}])"),
         "process.rlimits[0].type: \"RLIMIT_X\" is none of RLIMIT_AS, RLIMIT_CORE, RLIMIT_CPU, "
         "RLIMIT_DATA, RLIMIT_FSIZE, RLIMIT_LOCKS, RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE, RLIMIT_NICE, "
         "RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_RSS, RLIMIT_RTPRIO, RLIMIT_RTTIME, "
         "RLIMIT_SIGPENDING, RLIMIT_STACK"},
        {with_process(R"("ioPriority":{"class":"x"})"),
         "process.ioPriority.class: \"x\" is none of IOPRIO_CLASS_RT, IOPRIO_CLASS_BE, "
         "IOPRIO_CLASS_IDLE"},
        {with_linux(R"("rootfsPropagation":"rubbish")"),
         "linux.rootfsPropagation: \"rubbish\" is none of private, rprivate, shared, rshared, "
         "slave, rslave, unbindable, runbindable"},
        {with_linux(R"("devices":[{"path":"/d","type":"x","major":1,"minor":1}])"),
         "linux.devices[0].type: \"x\" is none of the letters cbup"},
        {with_linux(R"("resources":{"devices":[{"allow":true,"type":"cb"}]})"),
         "linux.resources.devices[0].type: \"cb\" is none of the letters acb"},
        {with_linux(R"("resources":{"devices":[{"allow":true,"access":"rwx"}]})"),
         "linux.resources.devices[0].access: \"rwx\" has other letters than r, w and m"},
        {with_linux(R"("resources":{"hugepageLimits":[{"pageSize":"../2MB","limit":1}]})"),
         "linux.resources.hugepageLimits[0].pageSize: \"../2MB\" is not a size such as 64KB, 2MB "
         "or 1GB"},
        {with_linux(R"("resources":{"unified":{"../x.y":""}})"),
         "linux.resources.unified: \"../x.y\" is not the name of a cgroup file such as "
         "memory.high"},
        {with_linux(R"("resources":{"network":{"priorities":[{"name":"a b","priority":1}]}})"),
         "linux.resources.network.priorities[0].name: \"a b\" is not a network interface's name"},
        {with_linux(R"("personality":{"domain":"BSD"})"),
         "linux.personality.domain: \"BSD\" is none of LINUX, LINUX32"},
        {with_linux(R"("memoryPolicy":{"mode":"MPOL_LOCAL","flags":["x"]})"),
         "linux.memoryPolicy.flags[0]: \"x\" is none of MPOL_F_NUMA_BALANCING, "
         "MPOL_F_RELATIVE_NODES, MPOL_F_STATIC_NODES"},
        {with_linux(R"("memoryPolicy":{"mode":"MPOL_BIND","nodes":"3-1"})"),
         "linux.memoryPolicy.nodes: \"3-1\" is not a list of nodes such as 0-3,7"},
        {with_linux(R"("namespaces":[{"type":"time"}],"timeOffsets":{"wall":{}})"),
         "linux.timeOffsets: \"wall\" is none of monotonic, boottime"},
        {with_process(R"("execCPUAffinity":{"initial":"0,"})"),
         "process.execCPUAffinity.initial: \"0,\" is not a list of CPUs such as 0-3,7"},
        {with_linux(R"("intelRdt":{"closID":"../x"})"),
         "linux.intelRdt.closID: \"../x\" is not the name of a class"},
    });
}

TEST(RuntimeConfigRefuses, SeccompThatIsNotTheSpecifications) {
    const auto rule = [](std::string_view members) {
        return with_linux(fmt::format(
            R"("seccomp":{{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{{{}}}]}})", members));
    };
    expect_refusals({
        {with_linux(R"("seccomp":{"defaultAction":"ALLOW"})"),
         "linux.seccomp.defaultAction: \"ALLOW\" is none of SCMP_ACT_ALLOW, SCMP_ACT_ERRNO, "
         "SCMP_ACT_KILL, SCMP_ACT_KILL_PROCESS, SCMP_ACT_KILL_THREAD, SCMP_ACT_TRAP, "
         "SCMP_ACT_TRACE, SCMP_ACT_LOG, SCMP_ACT_NOTIFY"},
        {with_linux(R"("seccomp":{"syscalls":[{"names":["a"],"action":"SCMP_ACT_ALLOW"}]})"),
         "linux.seccomp.defaultAction: is missing"},
        {with_linux(R"("seccomp":{"defaultAction":"SCMP_ACT_NOTIFY"})"),
         "linux.seccomp.defaultAction: SCMP_ACT_NOTIFY would stop the process that installs the "
         "filter"},
        {with_linux(R"("seccomp":{"defaultAction":"SCMP_ACT_ALLOW","defaultErrnoRet":1})"),
         "linux.seccomp.defaultErrnoRet: is not possible with SCMP_ACT_ALLOW"},
        {with_linux(R"("seccomp":{"defaultAction":"SCMP_ACT_ALLOW","flags":["LOG"]})"),
         "linux.seccomp.flags[0]: \"LOG\" is none of SECCOMP_FILTER_FLAG_TSYNC, "
         "SECCOMP_FILTER_FLAG_LOG, SECCOMP_FILTER_FLAG_SPEC_ALLOW, "
         "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"},
        {with_linux(R"("seccomp":{"defaultAction":"SCMP_ACT_ALLOW","listenerMetadata":"x"})"),
         "linux.seccomp.listenerMetadata: needs listenerPath"},
        {rule(R"("names":["a"],"action":"SCMP_ACT_NOTIFY")"),
         "linux.seccomp.listenerPath: is missing, but a rule has SCMP_ACT_NOTIFY"},
        {rule(R"("names":[],"action":"SCMP_ACT_KILL")"),
         "linux.seccomp.syscalls[0].names: is empty"},
        {rule(R"("names":["a"])"), "linux.seccomp.syscalls[0].action: is missing"},
        {rule(R"("names":["a"],"action":"SCMP_ACT_KILL","errnoRet":1)"),
         "linux.seccomp.syscalls[0].errnoRet: is not possible with SCMP_ACT_KILL"},
        {rule(
             R"("names":["a"],"action":"SCMP_ACT_KILL","args":[{"index":6,"value":0,"op":"SCMP_CMP_EQ"}])"),
         "linux.seccomp.syscalls[0].args[0].index: 6 is not between 0 and 5"},
        {rule(R"("names":["a"],"action":"SCMP_ACT_KILL","args":[{"index":0,"value":0,"op":"EQ"}])"),
         "linux.seccomp.syscalls[0].args[0].op: \"EQ\" is none of SCMP_CMP_EQ, SCMP_CMP_NE, "
         "SCMP_CMP_LT, SCMP_CMP_LE, SCMP_CMP_GE, SCMP_CMP_GT, SCMP_CMP_MASKED_EQ"},
    });
    EXPECT_NE(
        refusal(
            with_linux(R"("seccomp":{"defaultAction":"SCMP_ACT_ALLOW","architectures":["amd64"]})"))
            .find("linux.seccomp.architectures[0]: \"amd64\" is none of SCMP_ARCH_X86, "),
        std::string::npos);
}

TEST(RuntimeConfigRefuses, WhatIsMissing) {
    expect_refusals({
        {R"({"ociVersion":"1.0.0","root":{}})", "root.path: is missing"},
        {R"({"ociVersion":"1.0.0","root":{"path":""}})", "root.path: is empty"},
        {R"({"ociVersion":"1.0.0","mounts":[{"type":"proc"}]})",
         "mounts[0].destination: is missing"},
        {R"({"ociVersion":"1.0.0","mounts":[{"destination":""}]})",
         "mounts[0].destination: is empty"},
        {R"({"ociVersion":"1.0.0","process":{"cwd":"/","args":[]}})",
         "process.args: is empty: there is no program to run"},
        {R"({"ociVersion":"1.0.0","process":{"args":["a"]}})", "process.cwd: is missing"},
        {R"({"ociVersion":"1.0.0","hooks":{"prestart":[{}]}})",
         "hooks.prestart[0].path: is missing"},
        {with_process(R"("rlimits":[{"type":"RLIMIT_CPU","hard":1}])"),
         "process.rlimits[0].soft: is missing"},
        {with_process(R"("terminal":true,"consoleSize":{"height":1})"),
         "process.consoleSize.width: is missing"},
        {with_linux(R"("devices":[{"path":"/d","type":"c","major":1}])"),
         "linux.devices[0].minor: is missing"},
        {with_linux(R"("devices":[{"path":"/d","major":1,"minor":1}])"),
         "linux.devices[0].type: is missing"},
        {with_linux(R"("resources":{"devices":[{}]})"),
         "linux.resources.devices[0].allow: is missing"},
        {with_linux(R"("resources":{"rdma":{"mlx4_0":{}}})"),
         "linux.resources.rdma.mlx4_0.hcaHandles: and hcaObjects are both missing"},
        {with_linux(R"("resources":{"blockIO":{"weightDevice":[{"major":8,"minor":0}]}})"),
         "linux.resources.blockIO.weightDevice[0].weight: and leafWeight are both missing"},
        {with_linux(R"("namespaces":[{"path":"/x"}])"), "linux.namespaces[0].type: is missing"},
    });
}

TEST(RuntimeConfigRefuses, Contradictions) {
    const std::string_view map = R"([{"containerID":0,"hostID":0,"size":1}])";
    expect_refusals({
        {R"({"ociVersion":"1.0.0","hostname":"a"})", "hostname: needs a uts namespace"},
        {R"({"ociVersion":"1.0.0","domainname":"a","linux":{"namespaces":[{"type":"pid"}]}})",
         "domainname: needs a uts namespace"},
        {with_linux(R"("namespaces":[{"type":"pid"},{"type":"pid","path":"/x"}])"),
         "linux.namespaces[1]: \"pid\" is given twice"},
        {with_linux(fmt::format(R"("uidMappings":{})", map)),
         "linux.uidMappings: needs a user namespace"},
        {with_linux(fmt::format(R"("gidMappings":{})", map)),
         "linux.gidMappings: needs a user namespace"},
        {with_linux(R"("namespaces":[{"type":"user"}])"),
         "linux.uidMappings: and gidMappings are missing, but a new user namespace is asked for"},
        {with_linux(R"("timeOffsets":{"monotonic":{"secs":1}})"),
         "linux.timeOffsets: needs a time namespace"},
        {with_linux(
             R"("namespaces":[{"type":"time","path":"/x"}],"timeOffsets":{"monotonic":{"secs":1}})"),
         "linux.timeOffsets: is only possible for a new time namespace, not for one that is "
         "joined"},
        {with_linux(R"("maskedPaths":["/x"])"), "linux.maskedPaths: needs a mount namespace"},
        {with_linux(R"("namespaces":[{"type":"mount"}],"readonlyPaths":["/x","y"])"),
         "linux.readonlyPaths[1]: \"y\" is not an absolute path"},
        {with_linux(R"("netDevices":{"eth0":{}})"), "linux.netDevices: needs a network namespace"},
        {with_linux(R"("namespaces":[{"type":"network"}],"netDevices":{"eth0/..":{}})"),
         "linux.netDevices: \"eth0/..\" is not a network interface's name"},
        {with_linux(R"("namespaces":[{"type":"pid","path":"proc/1"}])"),
         "linux.namespaces[0].path: \"proc/1\" is not an absolute path"},
        {with_process(
             R"("rlimits":[{"type":"RLIMIT_CPU","hard":1,"soft":1},{"type":"RLIMIT_CPU","hard":2,"soft":1}])"),
         "process.rlimits[1]: RLIMIT_CPU is given twice"},
        {with_process(R"("rlimits":[{"type":"RLIMIT_CPU","hard":1,"soft":2}])"),
         "process.rlimits[0].soft: 2 is more than hard, 1"},
        {with_process(R"("scheduler":{"policy":"SCHED_OTHER","priority":1})"),
         "process.scheduler.priority: 1 is only possible with SCHED_FIFO and SCHED_RR, not "
         "SCHED_OTHER"},
        {with_process(R"("scheduler":{"policy":"SCHED_FIFO","period":1})"),
         "process.scheduler.period: is only possible with SCHED_DEADLINE"},
        {R"({"ociVersion":"1.0.0","process":{"args":["a"],"cwd":"tmp"}})",
         "process.cwd: \"tmp\" is not an absolute path"},
        {R"({"ociVersion":"1.0.0","hooks":{"poststart":[{"path":"a"}]}})",
         "hooks.poststart[0].path: \"a\" is not an absolute path"},
        {fmt::format(
             R"({{"ociVersion":"1.0.0","mounts":[{{"destination":"/a","uidMappings":{}}}]}})", map),
         "mounts[0].gidMappings: is missing, but uidMappings is given"},
        {with_linux(
             R"("namespaces":[{"type":"user"}],"uidMappings":[{"containerID":0,"hostID":4294967295,"size":2}])"),
         "linux.uidMappings[0].size: 2 IDs from hostID 4294967295 end beyond 4294967295"},
        {with_linux(
             R"("namespaces":[{"type":"user"}],"gidMappings":[{"containerID":0,"hostID":0,"size":0}])"),
         "linux.gidMappings[0].size: 0 maps nothing"},
        {R"({"ociVersion":"1.0.0","annotations":{"":"x"}})", "annotations: has an empty key"},
        {fmt::format(
             R"({{"ociVersion":"1.0.0","hostname":"{:a>65}","linux":{{"namespaces":[{{"type":"uts"}}]}}}})",
             ""),
         "hostname: 65 bytes are more than the kernel's 64"},
    });
}

}  // namespace
}  // namespace knarr::spec
