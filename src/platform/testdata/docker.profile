# github.com/moby/profiles v0.2.4 (Docker) on amd64 with Docker's default capabilities, restated in the line format of
# seccomp_profile.h.
default errno=1
arch x86_64 x86 x32
allow accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown
allow chown32 clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime
allow clock_gettime64 clock_nanosleep clock_nanosleep_time64 close close_range connect
allow copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old
allow epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit
allow exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark fchdir fchmod
allow fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr
allow flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate
allow ftruncate64 futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake futimesat
allow getcpu getcwd getdents getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32
allow getgroups getgroups32 getitimer getpeername getpgid getpgrp getpid getppid getpriority
allow getrandom getresgid getresgid32 getresuid getresuid32 getrlimit get_robust_list getrusage
allow getsid getsockname getsockopt get_thread_area gettid gettimeofday getuid getuid32 getxattr
allow getxattrat inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel ioctl
allow io_destroy io_getevents io_pgetevents io_pgetevents_time64 ioprio_get ioprio_set io_setup
allow io_submit ipc kill landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown
allow lchown32 lgetxattr link linkat listen listmount listxattr listxattrat llistxattr _llseek
allow lremovexattr lseek lsetxattr lstat lstat64 madvise map_shadow_stack membarrier memfd_create
allow memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap mmap2 mprotect
allow mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend
allow mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock
allow munlockall munmap name_to_handle_at nanosleep newfstatat _newselect open openat openat2
allow pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll
allow ppoll_time64 prctl pread64 preadv preadv2 prlimit64 process_mrelease pselect6
allow pselect6_time64 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recv
allow recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr removexattrat rename
allow renameat renameat2 restart_syscall riscv_hwprobe rmdir rseq rt_sigaction rt_sigpending
allow rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
allow rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_getaffinity sched_getattr sched_getparam
allow sched_get_priority_max sched_get_priority_min sched_getscheduler sched_rr_get_interval
allow sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam
allow sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop
allow semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg sendto setfsgid setfsgid32
allow setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setitimer setpgid setpriority
allow setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32
allow setrlimit set_robust_list setsid setsockopt set_thread_area set_tid_address setuid setuid32
allow setxattr setxattrat shmat shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4
allow sigprocmask sigreturn socketcall socketpair splice stat stat64 statfs statfs64 statmount
allow statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time timer_create
allow timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64
allow timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times
allow tkill truncate truncate64 ugetrlimit umask uname unlink unlinkat uretprobe utime utimensat
allow utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write writev
allow process_vm_readv process_vm_writev ptrace
allow if 0 lt 38 : socket
allow if 0 eq 39 : socket
allow if 0 eq 41 : socket
allow if 0 eq 42 : socket
allow if 0 eq 43 : socket
allow if 0 eq 44 : socket
allow if 0 eq 45 : socket
allow if 0 eq 0 : personality
allow if 0 eq 8 : personality
allow if 0 eq 131072 : personality
allow if 0 eq 131080 : personality
allow if 0 eq 4294967295 : personality
allow arch_prctl
allow modify_ldt
allow if 0 masked_eq 2114060288 0 : clone
errno=38 clone3
allow chroot
