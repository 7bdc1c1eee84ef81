"""Words that have no subject of their own: lists only, for `stock`."""


def _set(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


# Words of padding and of praise: what is said of any topic, and of a text rather than in it.
STOCK_WORDS = _set(
    """absolutely accomplish accordingly accurate accurately achieve additionally address addressed advantage
    advantages aforementioned agree aim aims amazing analyse analysis analyze answer answers applicable
    apply approach approaches appropriate appropriately arguably argue argument article aspect aspects
    assume assumption attention author authors aware awareness balance balanced basic basically basis
    beautifully beneficial benefit benefits bonus brilliant brilliantly broad broader captivates
    captivating carefully category challenge challenges challenging character characters claim claims
    clarify clarity clear clearly coherent cohesive comment comments compelling complete completely
    complex complexity comprehensive concept concepts concern concerns concise concisely conclude
    concluded concludes conclusion conclusions conditions cons consequently consider considerable
    considerably consideration considerations considered considering contains content contents context
    contrary contribute correct correctly covers craft crafted create created creates creative creatively
    creativity critical crucial debatable debate decide decision decisions deem deep deeply define
    definitely definition delivers demonstrate demonstrates depend depending depends depicts describe
    described describes description deserve deserved deserves detail detailed details determine develop
    developed development differ difference differences differently disadvantage disadvantages discuss
    discussed discusses discussion dive diverse diversity effect effective effectively effects efficient
    elaborate element elements emphasise emphasize engage engages engaging enhance enjoy enjoyable enjoyed
    enjoying ensure ensures entertaining equally error errors especially essay essence essential
    essentially establish etc evaluate evaluation evident evoke evokes examine example examples excellent
    exceptional exceptionally exciting experience experiences explain explained explains explanation
    explore explored explores exploring expressed extent extraordinary extremely facet facets fact factor
    factors facts factual familiar fantastic fascinating favor favour favourite feedback finally firstly
    flawless flawlessly flow flows focus followed following foremost format fulfil fulfill fulfilled
    fulfills fulfils function fundamental furthermore generally genuine genuinely goal goals grade graded
    grader grading grammar grammatical gripping guarantee guaranteed handled helpful hence highlight
    highlighted highlights history hooked however humble iceberg idea ideal ideally ideas illustrate
    illustrates imagery imagination imaginative immensely impact impactful importance important
    importantly impressive improve improvement incredible incredibly indeed individual individuals
    information informative insight insightful insights inspire inspired inspires inspiring instance
    instances instructions intended intention interest interested interesting interpretation
    interpretations intriguing introduce introduction invaluable involve involved involves issue issues
    journey judge judged justify keen key knowledge lastly lesson lessons level levels likewise literary
    literature logical majority manner mark marks masterful masterfully masterpiece masterpieces matter
    matters maximum meaning meaningful meaningfully measure meets mention mentioned merely message method
    methods mindful modern moral moreover multifaceted multiple mutual narrative narratives naturally
    nature necessarily necessity needless negative nevertheless nonetheless notable notably note noted
    notes noteworthy noticeable nuance nuanced numerous objective obvious obviously offer offers opinion
    opinions opportunities opportunity opposed option options organised organized original originality
    outcome outcomes outstanding overall paragraph paragraphs paramount particular particularly perfect
    perfection perfectly perspective perspectives phrase phrased plenty plot poem poems poetic point
    points polished positive possibilities possibility potential potentially powerful practical
    practically precisely prefer preference presents previous previously primarily primary principle
    principles prior probably problem problems process product profound profoundly prompt pros prose prove
    proven proves provide provided provides purpose purposes quality question questions raises range rate
    rated rating rationale reach readability readable reader readers realm reason reasonable reasons
    recommend recommendation reference references reflect reflects regard regarding regardless regards
    relate related relates relevance relevant remarkable remarkably represent represents request requested
    require required requirement requirements requires resonate resonates resource resources respect
    respective respectively respond response responses responsible result results rewarding rich richly
    role roles satisfied satisfies satisfy satisfying scenario scope score scored scores secondly section
    sections sensible sentence sentences sequence series serve serves several shortcomings showcase
    showcases significance significant significantly similar similarly simplicity situation situations
    skilful skill skilled skillful skills solution solutions solve specific specifically standard
    standards statement states stood stories story storytelling straightforward strategy strength
    strengths structure structured stunning style subject subjects subsequently substantial succeeds
    success successful successfully suffice sufficient sufficiently suggestion suitable summarise
    summarises summarize summarized summarizes summary superb superbly support supported supports surely
    tale tales tapestry task tasks techniques testament text texts theme themes therefore thesis thirdly
    thorough thoroughly thoughtful thoughtfully thoughts throughout thus tone topic topics touching
    tremendous truly twist twists typical typically ultimately undeniable undeniably undoubtedly
    unforgettable unique uniquely universal unparalleled useful valid valuable value variety various vary
    varying vital vivid vividly vocabulary wondered wonderful wonderfully wording worthwhile worthy writer
    writers writing written wrote"""
)

# Words that are neither: they carry a story as well as padding.
COMMON_WORDS = _set(
    """able added another anyone anything apart ask asked away bad beautiful became become becomes began
    begin beginning begins being believe best better beyond big bigger bit bottom bring brings brought
    called came care case cases certain certainly chance change changed changes choice choose chosen close
    closer come comes coming common could country course current daily day days deal deals different
    difficult doubt during easier easy effort eight either end ending ends enough entire equal everybody
    everyone everything everywhere exactly expect fail failed fails fair fairly far feel feeling feelings
    feels felt final find finds fine first five follow follows forget form forms found four free full
    fully future gave general get gets getting give given gives giving go goes going gone good got great
    greater greatest group had half hand hands happen happened happens happy hard hardly help helped helps
    high higher highest hold holds hope hoped hopefully hopes hours huge human imagine include included
    includes including inside instead job keep keeping keeps kept kind kinds knew know knowing known knows
    language large last late later lead leads learn learned least leave left less let lets letter life
    like likely line lines little live lives living long longer look looked looking looks lose lot lots
    love loved main make makes making manage many may maybe mean means meant mere middle might mind minute
    minutes missing moment moments month more most move moved moving must name names necessary need needed
    needs new next nice nobody none normal nothing number numbers old one ones only open or order ordinary
    our page pages part parts past people perhaps person personal persons picture piece pieces place
    places plain play plays please possible possibly present pretty public put quite rather read reading
    ready real really remain remains remember rest right safe said same saw say saying says second see
    seem seemed seems seen sense separate set sets seven shall share short should show showed shown shows
    side sides simple simply single six small society some somebody someone something sometimes somewhat
    soon sort sorts speak speaking special spoken start started starts state stay step steps still stuff
    such sum sure surprise surprised surprising take taken takes taking talk talked talking tell telling
    tells ten term terms than thing things think thinking third thought three time times tip today
    together told top total toward towards tried true trust truth try trying turn turned turns twice two
    type types understand understanding understood until upon use used uses using usual usually view views
    want wanted wants way ways week well went whatever whenever whether whoever whole wide will wish
    within without wonder word words work worked working works world worlds worse worst worth would write
    writes wrong year years yes yet young"""
)
