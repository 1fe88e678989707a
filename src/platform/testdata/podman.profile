# containers-common 0.50.1 (podman) /usr/share/containers/seccomp.json on amd64 for a container
# without extra capabilities, restated in the line format of seccomp_profile.h.
default errno=38
arch x86_64 x86 x32
errno=1 bdflush io_pgetevents kexec_file_load kexec_load migrate_pages move_pages nfsservctl nice
errno=1 oldfstat oldlstat oldolduname oldstat olduname pciconfig_iobase pciconfig_read
errno=1 pciconfig_write sgetmask ssetmask swapcontext swapoff swapon sysfs uselib userfaultfd
errno=1 ustat vm86 vm86old vmsplice
allow _llseek _newselect accept accept4 access adjtimex alarm bind brk capget capset chdir chmod
allow chown chown32 clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime
allow clock_gettime64 clock_nanosleep clock_nanosleep_time64 clone clone3 close close_range
allow connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl
allow epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve
allow execveat exit exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark
allow fchdir fchmod fchmodat fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr
allow flock fork fremovexattr fsconfig fsetxattr fsmount fsopen fspick fstat fstat64 fstatat64
allow fstatfs fstatfs64 fsync ftruncate ftruncate64 futex futex_time64 futimesat get_mempolicy
allow get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid getegid32 geteuid
allow geteuid32 getgid getgid32 getgroups getgroups32 getitimer getpeername getpgid getpgrp getpid
allow getppid getpriority getrandom getresgid getresgid32 getresuid getresuid32 getrlimit
allow getrusage getsid getsockname getsockopt gettid gettimeofday getuid getuid32 getxattr
allow inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy
allow io_getevents io_setup io_submit ioctl ioprio_get ioprio_set ipc keyctl kill
allow landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lchown32 lgetxattr
allow link linkat listen listxattr llistxattr lremovexattr lseek lsetxattr lstat lstat64 madvise
allow mbind membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2
allow mlockall mmap mmap2 mount mount_setattr move_mount mprotect mq_getsetattr mq_notify mq_open
allow mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink mremap
allow msgctl msgget msgrcv msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep
allow newfstatat open open_tree openat openat2 pause pidfd_getfd pidfd_open pidfd_send_signal pipe
allow pipe2 pivot_root pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl pread64
allow preadv preadv2 prlimit64 process_mrelease process_vm_readv process_vm_writev pselect6
allow pselect6_time64 ptrace pwrite64 pwritev pwritev2 read readahead readdir readlink readlinkat
allow readv reboot recv recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr
allow rename renameat renameat2 restart_syscall rmdir rseq rt_sigaction rt_sigpending
allow rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
allow rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min
allow sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval
allow sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam
allow sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop
allow semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg sendto set_mempolicy
allow set_robust_list set_thread_area set_tid_address setfsgid setfsgid32 setfsuid setfsuid32
allow setgid setgid32 setgroups setgroups32 setitimer setns setpgid setpriority setregid
allow setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit setsid
allow setsockopt setuid setuid32 setxattr shmat shmctl shmdt shmget shutdown sigaction sigaltstack
allow signal signalfd signalfd4 sigpending sigprocmask sigreturn sigsuspend socketcall socketpair
allow splice stat stat64 statfs statfs64 statx symlink symlinkat sync sync_file_range syncfs
allow syscall sysinfo syslog tee tgkill time timer_create timer_delete timer_getoverrun
allow timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd timerfd_create
allow timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times tkill truncate
allow truncate64 ugetrlimit umask umount umount2 uname unlink unlinkat unshare utime utimensat
allow utimensat_time64 utimes vfork wait4 waitid waitpid write writev
allow if 0 eq 0 : personality
allow if 0 eq 8 : personality
allow if 0 eq 131072 : personality
allow if 0 eq 131080 : personality
allow if 0 eq 4294967295 : personality
allow arch_prctl
allow modify_ldt
errno=1 open_by_handle_at
errno=1 bpf fanotify_init lookup_dcookie perf_event_open quotactl setdomainname sethostname setns
errno=1 chroot
errno=1 delete_module finit_module init_module query_module
errno=1 acct
errno=1 kcmp process_madvise
errno=1 ioperm iopl
errno=1 clock_settime clock_settime64 settimeofday stime
errno=1 vhangup
errno=22 if 0 eq 16 and 2 eq 9 : socket
allow if 2 ne 9 : socket
allow if 0 ne 16 : socket
allow if 2 ne 9 : socket
