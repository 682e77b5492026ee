// Any bytes as AML: the walk ends, and reads nothing that is not there.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/aml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    // On the heap, and exactly so many: AddressSanitizer sees a read beyond.
    uint8_t *bytes = malloc(size ? size : 1);
    uint8_t types[2] = {0, 0};

    assert(bytes);
    if (size)
        memcpy(bytes, data, size);
    if (aml_find_s5(bytes, size, types) == AML_S5_FOUND)
        assert(types[0] <= 7 && types[1] <= 7);
    free(bytes);
    return 0;
}
