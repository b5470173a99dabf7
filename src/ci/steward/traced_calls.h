#pragma once
// The system calls by which a program looks at files or talks to others: those a traced step asks about. Shared by
// the steward, which makes the filter, and ci/observe/tracer.cpp, which answers.
#include <sys/syscall.h>

namespace slipway::ci {

constexpr int traced_calls[] = {
#ifdef SYS_open
    SYS_open,
    SYS_creat,
    SYS_stat,
    SYS_lstat,
    SYS_access,
    SYS_readlink,
    SYS_getdents,
    SYS_rename,
    SYS_unlink,
    SYS_rmdir,
    SYS_mkdir,
    SYS_link,
    SYS_symlink,
    SYS_mknod,
    SYS_chmod,
    SYS_chown,
    SYS_lchown,
    SYS_utime,
    SYS_utimes,
    SYS_futimesat,
    SYS_renameat,
#endif
    SYS_openat,
    SYS_openat2,
    SYS_statx,
    SYS_faccessat,
    SYS_faccessat2,
    SYS_readlinkat,
    SYS_getdents64,
    SYS_renameat2,
    SYS_unlinkat,
    SYS_mkdirat,
    SYS_linkat,
    SYS_symlinkat,
    SYS_mknodat,
    SYS_fchmodat,
    SYS_fchownat,
    SYS_utimensat,
    SYS_truncate,
    SYS_setxattr,
    SYS_lsetxattr,
    SYS_removexattr,
    SYS_lremovexattr,
    SYS_getxattr,
    SYS_lgetxattr,
    SYS_execve,
    SYS_execveat,
    SYS_chdir,
    SYS_connect,
    SYS_sendto,
    SYS_sendmsg,
    SYS_sendmmsg,
    SYS_name_to_handle_at,
};
// Flags of the one sendmsg that passes unasked: the listener itself, on its way to slipway. MSG_CONFIRM means nothing
// on a local socket, so no program asks for it.
constexpr int handover_flags = 0x4000 /* MSG_NOSIGNAL */ | 0x800 /* MSG_CONFIRM */;

}  // namespace slipway::ci
