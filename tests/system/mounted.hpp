// A file system over a folder, as long as this lives: disks that get full, read-only or broken.
#pragma once

#include <doctest/doctest.h>

#include <sys/mount.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>

namespace agentd::testing {

class mounted {
public:
    mounted(std::string folder, const char* type, const char* options)
        : folder_(std::move(folder)),
          refused_(::mount("agentd-test", folder_.c_str(), type, 0, options) == 0 ? 0 : errno)
    {
        if (refused_ != 0)
            std::printf("SKIP: cannot mount a %s: %s\n", type, std::strerror(refused_));
    }
    ~mounted()
    {
        if (refused_ == 0)
            ::umount2(folder_.c_str(), MNT_DETACH);
    }
    mounted(const mounted&) = delete;
    mounted& operator=(const mounted&) = delete;

    [[nodiscard]] bool is_there() const { return refused_ == 0; }
    void make_read_only(bool yes) const
    {
        const unsigned long read_only = yes ? MS_RDONLY : 0;
        const unsigned long flags = MS_REMOUNT | read_only;
        REQUIRE(::mount("agentd-test", folder_.c_str(), "tmpfs", flags, nullptr) == 0);
    }

private:
    std::string folder_;
    int refused_;
};

} // namespace agentd::testing
