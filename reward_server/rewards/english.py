"""English words by what they do in a sentence: lists only."""


def _set(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


DETERMINERS = _set("the a an my your our their every")
PREPOSITIONS = _set("of in at from with by into onto upon during among between")
SUBJECTS = _set("i he she they we")
AUXILIARIES = _set(
    "is are was were am be been being has have had do does did will would can could should may might must"
)
CONJUNCTIONS = _set("and or but because if than nor")

# What carries grammar rather than content, with the halves of contractions.
FUNCTION_WORDS = (DETERMINERS | PREPOSITIONS | SUBJECTS | AUXILIARIES | CONJUNCTIONS) | _set(
    """about after again against all also although any around as away back before behind below beside both
    down each either else even ever few for further got he her here hers herself him himself his how however
    it its itself just least less like many me mine more most much myself near neither never no not now off
    often on once one only other others ours ourselves out over own per quite rather same shall since so some
    still such that theirs them themselves then there these this those though through to too toward towards
    under until up us very what when where whether which while who whom whose why within without yet you yours
    yourself s t d ll m re ve don didn doesn isn wasn aren weren couldn wouldn shouldn hadn hasn haven won let
    """
)

# What a prompt asks for rather than what it is about.
INSTRUCTION_WORDS = _set(
    """answer brainstorm briefly come compose continue create describe different draft essay example examples
    explain following generate give good help idea ideas include please list make need new paragraph poem
    prompt provide question reply short some story suggest suggestions tell text think topic want ways word
    words write writing wp"""
)
