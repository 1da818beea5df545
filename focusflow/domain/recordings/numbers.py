"""How is one phone number written the same way everywhere?"""

from focusflow.domain.recordings.details import looks_like_number, tidy


def normal_number(text: str, region: str) -> str:
    """Return *text* in E.164 (`+18125550113`) where it is a valid number, else tidied as it is (`000`, `*86`).

    *region* (two letters, any case) says how numbers without a country code are read. Several numbers, as in a conference,
    stay several.
    """
    tidied = tidy(text)
    if not looks_like_number(tidied):
        return tidied
    import phonenumbers  # takes 70 ms, which commands that only count jobs need not pay

    try:
        number = phonenumbers.parse(tidied, region.upper())
    except phonenumbers.NumberParseException:
        return tidied
    if not phonenumbers.is_valid_number(number):
        return tidied
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def is_region(letters: str) -> bool:
    """Say whether numbers are read in a country of these two letters."""
    import phonenumbers

    return letters.upper() in phonenumbers.SUPPORTED_REGIONS
