"""Which GPUs a worker gets, given what others have: arithmetic alone."""

from typing import List, Mapping, Optional, Sequence

#: A device is dealt out in hundredths, which add up exactly.
WHOLE = 100


def assign(wanted: int, devices: Sequence[str], taken: Mapping[str, int]) -> Optional[List[str]]:
    """
    A part of a device is taken where the least is left afterwards, so that parts gather on few
    devices and others stay whole for those who need whole ones.

    :param wanted: hundredths of a device: at most :data:`WHOLE`, or a multiple of it.
    :param devices: the names of all devices, in order of preference.
    :param taken: hundredths of each device that others have.
    :return: the devices to use, or None while there is not enough left.
    """
    if wanted < WHOLE:
        roomy = [device for device in devices if taken.get(device, 0) + wanted <= WHOLE]
        return [max(roomy, key=lambda device: taken.get(device, 0))] if roomy else None
    unused = [device for device in devices if taken.get(device, 0) == 0]
    count = wanted // WHOLE
    return unused[:count] if len(unused) >= count else None
