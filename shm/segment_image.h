/*
 * A copy of a segment, read from a file into memory, for looking at it. The copy may be damaged, cut short or forged:
 * nothing that is read out of the image leads outside of it.
 */
#ifndef SHM_SEGMENT_IMAGE_H
#define SHM_SEGMENT_IMAGE_H

#include "shm/segment.h"

/*
 * Reads the header, the slots and the lanes' controls and descriptors of the file at fd; neither keys nor arenas. Takes
 * over fd on success: segment_close() releases both. path is for messages. Returns 0; or <0 when the file is no segment
 * of this version, is cut short or has a header that contradicts itself: *err says which of these.
 *
 * A lane whose ring has another size than the header says is given that size and an impossible depth, so that
 * lane_valid() is false for it and all functions of lanes stay inside the image.
 */
int segment_image_read(struct segment *segment, int fd, const char *path, struct error *err);

/*
 * When the first record of the parcel at that byte position of a lane's arena was received, in microseconds since 1970
 * by the wall clock. Returns false when the file has no such record there, or a record of a time that is no date, or
 * when the lanes of that group carry no records.
 */
bool segment_image_received_us(const struct segment *segment, uint32_t lane, uint64_t at, int64_t *us);

#endif
