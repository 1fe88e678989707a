#pragma once
// The words of witness: see.c and see_kernel.c report what is there, act.c does something.

#include <stddef.h>

extern char** all_args;  // main's argv

// Reports.
void put_value(const char* text, size_t size);
void report(const char* key, const char* value);
void report_number(const char* key, long long value);
void report_outcome(const char* key, const char* path, int failed);
char* read_whole(const char* path, size_t* size);
void report_lines(const char* key, const char* path);

// Words that report (see.c). The unused parameter lets all words stand in one table.
void see_ids(const char* unused);
void see_caps(const char* unused);
void see_security(const char* unused);
void see_process(const char* unused);
void see_env(const char* unused);
void see_host(const char* unused);
void see_rlimits(const char* unused);
void see_namespaces(const char* unused);
void see_fds(const char* unused);
void see_mounts(const char* unused);
void see_cgroup(const char* unused);
void see_terminal(const char* unused);
void see_all(const char* unused);

// The same (see_kernel.c).
void see_status(const char* unused);
void see_sched(const char* unused);
void see_memory_policy(const char* unused);
void see_clocks(const char* unused);
void do_tree(const char* path);

// Words that act (act.c), with the value that follows the word.
void do_cat(const char* path);
void do_can_read(const char* path);
void do_can_write(const char* path);
void do_stat(const char* path);
void do_statfs(const char* path);
void do_list(const char* path);
void do_write(const char* path);
void do_mkdir(const char* path);
void do_mknod(const char* path);
void do_chown(const char* path);
void do_exec(const char* path);
void do_try(const char* what);
void do_out(const char* text);
void do_err(const char* text);
void do_exit(const char* status);
void do_raise(const char* number);
void do_sleep(const char* seconds);
void do_wait_signal(const char* unused);
void do_ignore(const char* number);
void do_stdin(const char* unused);
void do_bytes(const char* count);
void do_memory(const char* mib);
void do_children(const char* count);
void do_swap(const char* names);
void do_steal_exe(const char* seconds);
void do_find_root(const char* device_and_inode);
void do_socket32(const char* family);
void do_socketcall32(const char* family);
void do_socket_wide(const char* family);
void do_spin(const char* seconds);
void do_leave(const char* seconds);
void do_listen_fds(const char* unused);
void do_notify(const char* text);
