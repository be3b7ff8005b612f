// SPDX-License-Identifier: MIT
/* Which run of counters this is: as long as the number is the same, no byte count has fallen. */
#include "edge/account/epoch.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <string.h>
#include <unistd.h>

static void read_boot_id(char *buf, size_t size)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	memset(buf, 0, size);
	if (fd < 0)
		return;
	if (read(fd, buf, size - 1) < 0)
		buf[0] = '\0';
	close(fd);
}

/*
 * The kernel gives every map of one boot a number of its own, so boot and map identify the records:
 * a restart that takes over the pins goes on counting, a new map begins at zero. Without the map,
 * counters live and die with the process.
 */
uint64_t account_epoch_of(int targets_fd)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);
	unsigned char digest[SHA256_DIGEST_LENGTH];
	struct {
		char boot[64];
		uint32_t map;
		uint32_t pad;
	} source = {.pad = 0};
	uint64_t epoch = 0;

	if (targets_fd >= 0 && !bpf_obj_get_info_by_fd(targets_fd, &info, &len)) {
		read_boot_id(source.boot, sizeof(source.boot));
		source.map = info.id;
		SHA256((const unsigned char *)&source, sizeof(source), digest);
		memcpy(&epoch, digest, sizeof(epoch));
	} else {
		RAND_bytes((unsigned char *)&epoch, sizeof(epoch));
	}
	epoch >>= 1; /* stores keep it as a signed number */
	return epoch ? epoch : 1;
}
