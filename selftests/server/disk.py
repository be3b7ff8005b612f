# SPDX-License-Identifier: MIT
"""A small disk, which is full when a test wants it to be."""
import os
import subprocess
import tempfile

from rig import Skip


class SmallDisk:
    """A file system of a few megabytes."""

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="portunus-disk.", dir="/var/tmp")
        image, self.mount = self.dir + "/image", self.dir + "/mnt"
        os.mkdir(self.mount)
        with open(image, "wb") as f:
            f.truncate(8 << 20)
        made = subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], capture_output=True, check=False)
        if made.returncode or subprocess.run(["mount", "-o", "loop", image, self.mount], capture_output=True,
                                             check=False).returncode:
            self.mount = None
            self.__exit__()
            raise Skip("no loop mounts here (root and a loop device are needed)")
        return self

    def __exit__(self, *_):
        if self.mount:
            subprocess.run(["umount", "-l", self.mount], check=False)
        subprocess.run(["rm", "-rf", self.dir], check=False)

    def fill(self):
        """Takes all the room that is left."""
        size = 1 << 20
        with open(self.mount + "/filler", "ab", buffering=0) as f:
            while size:
                try:
                    f.write(b"x" * size)
                except OSError:
                    size //= 2

    def empty(self):
        os.unlink(self.mount + "/filler")
