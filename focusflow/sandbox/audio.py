"""How is a small, valid audio file made without an encoder? WAV, AMR, MP3, M4A and Opus, byte by byte.

Every file is playable silence or noise of an exact length. The bytes that carry no sound (ancillary data, data stream
elements, comments) are drawn from a seed, so no two files are alike and the same seed always makes the same file.
"""

import random
import struct
from typing import Final

_TELEPHONE_RATE: Final = 8000


def wav(seconds: float, seed: str) -> bytes:
    """PCM, 8 kHz, mono, 8 bits: quiet noise, 8000 bytes a second."""
    noise = random.Random(seed)
    samples = bytes(128 + step % 5 - 2 for step in noise.randbytes(round(seconds * _TELEPHONE_RATE)))
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, _TELEPHONE_RATE, _TELEPHONE_RATE, 1, 8)
    data = struct.pack("<4sI", b"data", len(samples)) + samples + b"\0" * (len(samples) % 2)
    return struct.pack("<4sI4s", b"RIFF", 4 + len(form) + len(data), b"WAVE") + form + data


def amr(seconds: float, seed: str) -> bytes:
    """AMR-NB at 4.75 kbit/s: noise, and every third second of discontinuous transmission; 460 bytes a second."""
    noise = random.Random(seed)
    frames = bytearray(b"#!AMR\n")
    for number in range(round(seconds * 50)):  # 20 ms each
        if number // 50 % 3 < 2:
            # frame type 0 (95 bits of speech, the last one of the 12 bytes is padding), quality bit set
            frames += b"\x04" + noise.randbytes(11) + bytes([noise.randrange(128) << 1])
        elif number % 8 == 0:
            # frame type 8: comfort noise parameters (39 bits, then one of padding)
            frames += b"\x44" + noise.randbytes(4) + bytes([noise.randrange(128) << 1])
        else:
            frames += b"\x7c"  # frame type 15: nothing to transmit
    return bytes(frames)


def mp3(seconds: float, seed: str) -> bytes:
    """MPEG 2.5 layer III, 8 kHz, mono, 8 kbit/s: silence, 1000 bytes a second."""
    noise = random.Random(seed)
    # sync + version 2.5 + layer III + no CRC, 8 kbit/s + 8 kHz, mono; then side information that says "no main data"
    head = b"\xff\xe3\x18\xc4" + bytes(9)
    ancillary = 72 - len(head)
    # seven bits only: an 0xff in the ancillary bytes could look like the next frame
    return b"".join(
        head + bytes(byte & 0x7F for byte in noise.randbytes(ancillary)) for _ in range(round(seconds / 0.072))
    )


def m4a(seconds: float, seed: str, *, bytes_per_second: int = 500) -> bytes:
    """AAC-LC, 8 kHz, mono, in an MPEG-4 file: silence, padded to about *bytes_per_second* (62 at least)."""
    noise = random.Random(seed)
    samples_per_frame = 1024
    frame_size = max(bytes_per_second * samples_per_frame // _TELEPHONE_RATE, 8)
    count = max(round(seconds * _TELEPHONE_RATE / samples_per_frame), 1)
    frames = b"".join(_aac_frame(noise, frame_size) for _ in range(count))
    duration = count * samples_per_frame
    ftyp = _box(b"ftyp", b"M4A " + struct.pack(">I", 0) + b"M4A mp42isom")
    moov = _movie(count, frame_size, duration, chunk_offset=0)
    # the movie box comes first and its size does not depend on the offset it has to contain
    moov = _movie(count, frame_size, duration, chunk_offset=len(ftyp) + len(moov) + 8)
    return ftyp + moov + _box(b"mdat", frames)


def opus(seconds: float, seed: str) -> bytes:
    """Opus in Ogg, mono, 20 ms packets: silence, about 200 bytes a second."""
    noise = random.Random(seed)
    serial = noise.getrandbits(32)
    preskip = 312
    comment = b"NOTE=" + noise.randbytes(24).hex().encode()
    tags = b"OpusTags" + struct.pack("<I", 9) + b"FocusFlow" + struct.pack("<II", 1, len(comment)) + comment
    head = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, preskip, 48000, 0, 0)
    pages = [_ogg_page([head], serial, 0, 0, flags=2), _ogg_page([tags], serial, 1, 0)]
    packets, per_page = round(seconds * 50), 250
    for first in range(0, packets, per_page):
        last = min(first + per_page, packets)
        flags = 4 if last == packets else 0
        silence = [b"\xf8\xff\xfe"] * (last - first)
        pages.append(_ogg_page(silence, serial, len(pages), last * 960 + preskip, flags=flags))
    return b"".join(pages)


def _aac_frame(noise: random.Random, size: int) -> bytes:
    """Silence, after data stream elements that fill the frame up to *size* bytes."""
    silence = b"\x00\xc8\x00\x80\x23\x80"  # one channel element without coefficients, then the end marker
    padding = bytearray()
    while (room := size - len(silence) - len(padding)) >= 2:
        count = min(room - 2, 254)
        padding += bytes([0x80, count]) + noise.randbytes(count)
    return bytes(padding) + silence + bytes(size - len(silence) - len(padding))


def _box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def _full_box(kind: bytes, content: bytes, flags: int = 0) -> bytes:
    return _box(kind, struct.pack(">I", flags) + content)


def _descriptor(tag: int, content: bytes) -> bytes:
    return bytes([tag, len(content)]) + content


_IDENTITY_MATRIX: Final = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def _movie(count: int, frame_size: int, duration: int, *, chunk_offset: int) -> bytes:
    """The box that describes one track of *count* frames of equal size, all in one chunk."""
    bitrate = frame_size * 8 * _TELEPHONE_RATE // 1024
    decoder = struct.pack(">BBBHII", 0x40, 0x15, 0, frame_size, bitrate, bitrate)
    decoder += _descriptor(5, b"\x15\x88")  # AAC-LC, 8 kHz, mono
    stream = struct.pack(">HB", 1, 0) + _descriptor(4, decoder) + _descriptor(6, b"\x02")
    mp4a = struct.pack(">6xH8xHHIHH", 1, 1, 16, 0, _TELEPHONE_RATE, 0) + _full_box(b"esds", _descriptor(3, stream))
    table = b"".join(
        [
            _full_box(b"stsd", struct.pack(">I", 1) + _box(b"mp4a", mp4a)),
            _full_box(b"stts", struct.pack(">III", 1, count, 1024)),
            _full_box(b"stsc", struct.pack(">IIII", 1, 1, count, 1)),
            _full_box(b"stsz", struct.pack(">II", frame_size, count)),
            _full_box(b"stco", struct.pack(">II", 1, chunk_offset)),
        ]
    )
    data_info = _box(b"dinf", _full_box(b"dref", struct.pack(">I", 1) + _full_box(b"url ", b"", flags=1)))
    information = _full_box(b"smhd", bytes(4)) + data_info + _box(b"stbl", table)
    times = struct.pack(">IIII", 0, 0, _TELEPHONE_RATE, duration)
    media = (
        _full_box(b"mdhd", times + struct.pack(">HH", 0x55C4, 0))  # language: undetermined
        + _full_box(b"hdlr", struct.pack(">I4s12x", 0, b"soun") + b"SoundHandler\0")
        + _box(b"minf", information)
    )
    track_head = struct.pack(">IIIII8xHHHH", 0, 0, 1, 0, duration, 0, 0, 0x100, 0) + _IDENTITY_MATRIX + bytes(8)
    movie_head = times + struct.pack(">IH10x", 0x10000, 0x100) + _IDENTITY_MATRIX + bytes(24) + struct.pack(">I", 2)
    track = _full_box(b"tkhd", track_head, flags=7) + _box(b"mdia", media)
    return _box(b"moov", _full_box(b"mvhd", movie_head) + _box(b"trak", track))


def _ogg_page(packets: list[bytes], serial: int, number: int, granule: int, *, flags: int = 0) -> bytes:
    lacing = b"".join(bytes([255] * (len(packet) // 255) + [len(packet) % 255]) for packet in packets)
    head = struct.pack("<4sBBqIII", b"OggS", 0, flags, granule, serial, number, 0) + bytes([len(lacing)]) + lacing
    page = head + b"".join(packets)
    return page[:22] + struct.pack("<I", _ogg_checksum(page)) + page[26:]


def _ogg_checksum(page: bytes) -> int:
    """CRC-32 with Ogg's polynomial: neither reflected nor inverted, so `zlib.crc32` does not do."""
    remainder = 0
    for byte in page:
        remainder = (remainder << 8) & 0xFFFFFFFF ^ _CRC_TABLE[remainder >> 24 ^ byte]
    return remainder


def _crc_entry(index: int) -> int:
    entry = index << 24
    for _ in range(8):
        entry = (entry << 1) ^ (0x04C11DB7 if entry & 0x80000000 else 0)
    return entry & 0xFFFFFFFF


_CRC_TABLE: Final = tuple(_crc_entry(index) for index in range(256))
