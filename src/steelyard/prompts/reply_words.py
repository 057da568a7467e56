"""The words by which a sentence of a reply chooses an option, and those by which it does not.

A sentence chooses an option only if everything before the option's name is one of the forms below:
a word that is not listed here (such as "hardly", "lacks" or "far from") chooses nothing.
"""

import re

ADVERBS = (
    r"(?:so|therefore|thus|hence|then|overall|ultimately|finally|clearly|definitely|certainly"
    r"|obviously|probably|likely|most likely|very likely|very|quite|strongly|mostly|largely"
    r"|predominantly|primarily|generally|mainly|simply|most|highly|extremely|slightly|fairly"
    r"|best|more|indeed|still|undoubtedly|evidently|significantly|much|far|marginally|somewhat)"
)
NOUNS = (
    r"(?:text|texts?'s|message|email|e-mail|mail|sms|review|comment|sentence|statement|tweet|post"
    r"|article|document|content|item|input|passage|snippet|headline|question|query|example"
    r"|utterance|request|ticket|claim|paragraph|conversation|sentiment|tone|intent|emotion|topic"
    r"|stance|attitude|mood|sender|user|customer|author|reviewer|writer|movie|film|product)"
)
ANSWERS = (
    r"(?:answer|label|choice|option|category|class|classification|prediction|verdict|winner"
    r"|judge?ment|decision|conclusion|result|output|selection|rating|score|grade|preference|pick"
    r"|vote|heading|sentiment|tone|intent|emotion|topic|stance|letter|stars|assessment"
    r"|determination|evaluation|final answer|preferred|chosen|selected|better|best|overall|response"
    r"|guess"
    r"|reply|antwort|r\u00e9ponse|respuesta|risposta|resposta)"
)
KINDS = (
    r"(?:option|response|assistant|answer|model|choice|letter|candidate|solution|output|system"
    r"|class|label|category|number|completion|reply|a|an|the)"
)
"""What may stand right before a name: "response B", "the category sports"."""
WHOSE = (
    r"(?:given|provided|above|entire|whole|overall|general|user's|customer's|author's|reviewer's"
    r"|writer's|speaker's|text's|review's|message's)"
)
ITEM = (
    rf"(?:(?:the|this|that|a) (?:{WHOSE} )*{NOUNS}(?:'s)?(?: {NOUNS})?|it|this|that"
    rf"|(?:its|their|my) (?:overall )?{NOUNS})"
)
OF_ITEM = rf"(?: (?:expressed |conveyed )?(?:of|in|for|to|by|behind) {ITEM})"
ITEM = rf"{ITEM}{OF_ITEM}{{0,2}}"
OPENING = (
    r"(?:(?:so|therefore|thus|hence|then|and|overall|ultimately|finally|in (?:conclusion|summary)"
    r"|to conclude|to summarize|(?:i|we)(?:'d| would)? (?:think|believe|say|conclude)|that"
    r"|it is clear|i(?:'m| am) (?:confident|certain|sure)|which means|meaning|yes|sure|okay|well"
    r"|as a result|in my (?:opinion|view|judge?ment)|here is|here's) )*"
)
IS = r"(?:is|would be|should be|must be|has to be|->|=|:|-)"
CHOOSES = (
    r"(?:(?:i|we)(?:'d|'ll| would| will| must)? (?:clearly |strongly |definitely )?"
    r"(?:choose|pick|select|prefer|say|think|believe|go with|go for|vote for|opt for|predict"
    r"|guess|answer(?: with)?|favou?r|recommend|give|assign))"
)
FILES = r"(?:classify|label|categori[sz]e|rate|consider|judge|mark|call|find|tag|score|give|deem)"
FILED = (
    r"(?:classified|label+ed|categori[sz]ed|rated|considered|judged|marked|tagged|deemed|scored)"
)
BEFORE = {
    "bare": rf"{OPENING}(?:{ADVERBS} )*(?:(?:it|this|that) (?:is|must be|should be) )?"
    rf"(?:{ADVERBS} )*(?:{KINDS} )*",
    "answer": rf"(?:no |hmm )?{OPENING}(?:(?:the|my|our|a|this|its) )?"
    rf"(?:(?:final|correct|right|best|better|predicted|most|appropriate|suitable|accurate|fitting|likely|overall|dominant|primary|main|winning|chosen"
    rf"|selected|preferred|assigned|star|total|proper|{WHOSE}) )*(?:{ANSWERS} )+(?:expressed )?"
    rf"(?:of )?(?:here |then |{ITEM} |to |(?:of|in|for|to|expressed in|expressed by) {ITEM} )?"
    rf"(?:{IS} )?(?:: )?(?:{ADVERBS} )*(?:{KINDS} )*",
    "copula": rf"{OPENING}{ITEM} (?:(?:{ADVERBS}|clearly) )*"
    rf"(?:is|seems|seems to be|appears|appears to be|looks|looks like|sounds|sounds like|reads as"
    rf"|expresses|conveys|contains|carries|belongs to|belongs in|falls under|falls into|fits"
    rf"|fits under|qualifies as|counts as|deserves|gets|earns|receives|has) "
    rf"(?:(?:{ADVERBS}|overall) )*(?:{KINDS} )*(?:(?:rating|score) of )?(?:(?:a|an) )?",
    "choice": rf"{OPENING}{CHOOSES} (?:that )?(?:{ITEM} )?(?:is )?(?:to )?(?:{ADVERBS} )*"
    rf"(?:{KINDS} )*(?:(?:rating|score) of )?",
    "filing": rf"{OPENING}(?:i|we)(?:'d|'ll| would| will| can)? (?:{ADVERBS} )*{FILES} {ITEM} "
    rf"(?:(?:as|under|to be|with|at|:) )?(?:{ADVERBS} )*(?:{KINDS} )*(?:(?:rating|score) of )?",
    "filed": rf"{OPENING}{ITEM} (?:is|should be|can be|would be|has been|could best be) "
    rf"(?:{ADVERBS} )*{FILED} (?:(?:as|under|to be|with|at) )?(?:{ADVERBS} )*(?:{KINDS} )*",
}
"""Forms of what stands before a name, in lower case; words are followed by one space."""
CHOOSING = re.compile("|".join(f"(?P<{name}>{form})" for name, form in BEFORE.items()))
CIRCUMSTANCE = re.compile(
    r"(?:based on|given|as (?:the|an?) \w+|considering|looking at|after|according to (?:the|this)"
    r"|due to|because of)\b[^,.;:\n]{1,150},\s*",
    re.IGNORECASE,
)
"""An adverbial before the sentence proper."""
CONSEQUENCE = re.compile(
    r"[,;]\s+(?=(?:so|therefore|thus|hence|which means|meaning)\b)|\s(?=(?:so|therefore|thus|hence)"
    r" (?:the|my) (?:final |correct |best |right )?(?:answer|label|choice|option)\b)",
    re.IGNORECASE,
)
ENDING = (
    r"[\s)\]}]*(?:$|[.!;](?=[\s\)\]]|$)|,(?=\s|$)|:(?=\s|$)|\s[-\u2013\u2014]+\s"
    r"|[\u2013\u2014]|\n|\s?\(|\s(?:because|since|as|given|due to|based on|with|over|rather than"
    r"|instead of|and not)\b)"
)
AFTER_NAME = re.compile(
    rf"(?: (?:{NOUNS}|{ANSWERS}|one|category|class|in (?:tone|sentiment|nature)))?"
    rf"(?: (?:to|for) (?:the|this) (?:query|question|prompt|topic|request))?{ENDING}",
    re.IGNORECASE,
)
JOINS = re.compile(
    r"[\s)\]}]*(?:,|/|&|\+|\bor\b|\band\b|\bas well as\b|\bvs\b)[\s(\[]*"
    r"(?:(?:or|and|maybe|perhaps|also|option|response|possibly) )*",
    re.IGNORECASE,
)
VERDICT = re.compile(
    rf"\s+(?:(?:is|would be|seems|looks)\s+(?:(?:{ADVERBS}|overall|the|a|an)\s+)*"
    r"(?:better|best|winner|correct|right|preferred|preferable|superior|stronger|true|favou?red"
    r"|(?:more|most) (?:likely|appropriate|suitable|fitting|helpful|accurate))"
    r"(?:\s+(?:answer|response|option|choice|one|label|class|category|overall|here|fit|assistant"
    r"|of the two))*|wins|fits(?: best)?|applies"
    r"|(?:beats|outperforms|surpasses|wins over|wins against)\s[^.,;\n]{1,40}?)"
    r"(?:\s+than\s[^.,;\n]{1,60}?)?"
    rf"(?={ENDING})",
    re.IGNORECASE,
)
NOT_NAME = re.compile(
    r"(?:\b(?:not|never|hardly|scarcely|barely|neither|nor|no|without|lacks?|lacking|excludes?"
    r"|excluding|rejects?|denies|unlikely|except|far from|anything but|rules? out|ruling out"
    r"|opposite of|instead of|rather than|less than|non|cannot|nowhere near|free of)\b|n't\b)"
    r"[\s-]*(?:[\w']+\s+){0,3}[\s(\[]*$",
    re.IGNORECASE,
)
"""What denies a name that follows."""
NAME_NOT = re.compile(
    r"[\s)\]]*(?:(?:is|are|was|can be|could be|should be|has been|seems|looks|would be|does|do)"
    r"(?:\s?n't\b|\s+(?:\w+\s+)?(?:not|never|hardly|ruled out|excluded|wrong|incorrect|false"
    r"|unlikely|rejected|out of the question|dismissed|discarded|eliminated|absent|impossible"
    r"|untrue|improbable|worse|the wrong|no longer|inappropriate))\b|-free\b|\s+free\b"
    r"|\s+(?:fails|loses|doesn't|isn't|wasn't|can't|cannot)\b)",
    re.IGNORECASE,
)
"""What denies a name that went before."""
LEVELS = (
    r"(?:no|nope|not|none|never|nothing|false|true|yes|nil|zero|null|n/?a|hardly|barely|scarcely"
    r"|low|lower|lowest|high|medium|moderate|minimal|little|slight|weak|weakly|absent|missing"
    r"|unlikely|unknown|unclear|unsure|maybe|perhaps|possible|possibly|likely|probable|negligible"
    r"|ruled out|excluded|rejected|denied|impossible|wrong|incorrect|without|lacks|lacking|fails"
    r"|doubtful|uncertain|unconfirmed|far from|anything but|few|isn't|doesn't|wasn't"
    r"|there (?:is|are) no|there's no|cannot|can't|neither|nor|negated|unsupported|undetected"
    r"|untrue|improbable|weak|strong|partly|partially|half|if|unless)"
)
FIELD_TAIL = re.compile(
    rf"\W*(?:[-+]?[.,]?\d|{LEVELS}\b|[\u2717\u2718\u274c\u2713\u2714\u2705])", re.IGNORECASE
)
"""After "NAME:" or "NAME -": a score, a boolean or a degree, so that the name is a heading."""
DOUBTS = re.compile(
    r"\bnot\b|n't\b|%|\b(?:doubt\w*|unlikely|probab\w*|likelihood|chances?|scores?|percent|hardly"
    r"|low|ruled|exclu\w*|lack\w*|signs?|evidence|indicat\w*|absen\w*|free of|trace|hint|none"
    r"|never|nothing (?:of|like)|neither|without|wrong|incorrect|false|reject\w*)\b",
    re.IGNORECASE,
)
"""In what follows "NAME:", so that it may say that the name does not fit."""
REASON = re.compile(r"\W*(?:because|since|as|due to)\b", re.IGNORECASE)
COMMA_TAIL = re.compile(
    r"\W*(?:(?:if|unless|or|maybe|perhaps|provided|assuming|though not|but (?:not|only|maybe|i'?m"
    r" not)|not sure|unsure|nope|hardly|false|wrong|incorrect|unlikely|just kidding|as if|yeah"
    r"|which (?:is|was|would be) (?:wrong|incorrect|false|not)|you (?:might|may"
    r"|could|would)|(?:he|she|they|some|people|one)"
    r" (?:said|says|say|claims?|might|may|could|would))"
    r"\b|(?:no|not|never)(?:\W*$|[.,;!]|\s+(?:really|at all|way|it|this|that|quite|so|exactly"
    r"|likely|necessarily)\b)|[-+]?[.]?\d[\d.]*\s?(?:%|/\s?\d+)?\W*$)",
    re.IGNORECASE,
)
"""After "NAME," or "NAME.": it is taken back, hedged, reported or scored."""
TURNS = re.compile(
    r"\b(?:wait|actually|correction|on second thought|instead|rather|i mean|scratch that|sorry"
    r"|no,)",
    re.IGNORECASE,
)
CONTRASTS = re.compile(
    r"\b(?:but|however|although|though|yet|while|whereas|until|once|except)\b", re.IGNORECASE
)
RESTATES = re.compile(
    r"\s+(?:is|are) an? (?!no|mistake|distractor|lie|error|myth|trap|problem)\w+\W*$", re.I
)
"""After the text of a lettered option: "A dog is an animal"."""
CERTAIN = re.compile(r"\W*(?:[\w-]+\s){0,2}?[\d.]*\s?%?\s?(?:confiden|certain|sure)", re.IGNORECASE)
"""After a name: how certain the answer is."""
