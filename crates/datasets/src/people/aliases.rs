//! Films that catalogues and tables of films know by different names.

/// A film of MovieLens and its name in Wikidata.
#[derive(Debug)]
pub(super) struct Alias {
    /// The title in MovieLens, without the year.
    pub(super) title: &'static str,
    /// The year in MovieLens.
    pub(super) year: u16,
    /// The title in Wikidata.
    pub(super) film: &'static str,
    /// The year in Wikidata.
    pub(super) film_year: u16,
}

/// The films of MovieLens-100K with at least 20 ratings that the table of Wikidata's films has under another name.
///
/// "Magnificent Seven, The (1954)" is not among them: its year is that of Kurosawa's "Seven Samurai", its genres are those of Sturges'
/// western of 1960.
#[rustfmt::skip]
pub(super) const ALIASES: [Alias; 26] = [
    // A series goes before the title in Wikidata.
    alias("Star Wars", 1977, "Star Wars: Episode IV – A New Hope", 1977),
    alias("Empire Strikes Back, The", 1980, "Star Wars: Episode V – The Empire Strikes Back", 1980),
    alias("Return of the Jedi", 1983, "Star Wars: Episode VI – Return of the Jedi", 1983),
    alias("Star Trek: The Wrath of Khan", 1982, "Star Trek II: The Wrath of Khan", 1982),
    alias("Jungle Book, The", 1994, "Rudyard Kipling's The Jungle Book", 1994),
    alias("How to Be a Player", 1997, "Def Jam's How to Be a Player", 1997),
    // A series or an author goes before the title in MovieLens.
    alias("Jackie Chan's First Strike", 1996, "First Strike", 1996),
    alias("William Shakespeare's Romeo and Juliet", 1996, "Romeo + Juliet", 1996),
    alias("Kids in the Hall: Brain Candy", 1996, "Brain Candy", 1996),
    alias("Tales from the Crypt Presents: Bordello of Blood", 1996, "Bordello of Blood", 1996),
    alias("Tales From the Crypt Presents: Demon Knight", 1995, "Demon Knight", 1995),
    // One of them has a subtitle, or a translation, that the other lacks.
    alias("Dr. Strangelove or: How I Learned to Stop Worrying and Love the Bomb", 1963, "Dr. Strangelove", 1964),
    alias("Postino, Il", 1994, "Il Postino: The Postman", 1994),
    alias("Professional, The", 1994, "Léon: The Professional", 1994),
    alias("Microcosmos: Le peuple de l'herbe", 1996, "Microcosmos", 1996),
    // Numbers and words are written in another way.
    alias("Twelve Monkeys", 1995, "12 Monkeys", 1995),
    alias("Jungle2Jungle", 1997, "Jungle 2 Jungle", 1997),
    alias("187", 1997, "One Eight Seven", 1997),
    alias("Rocket Man", 1997, "RocketMan", 1997),
    alias("Three Colors: Red", 1994, "Three Colours: Red", 1994),
    alias("Three Colors: Blue", 1993, "Three Colours: Blue", 1993),
    alias("Three Colors: White", 1994, "Three Colours: White", 1994),
    alias("Sunset Blvd.", 1950, "Sunset Boulevard", 1950),
    alias("Garden of Finzi-Contini, The", 1970, "The Garden of the Finzi-Continis", 1970),
    alias("Funeral, The", 1996, "The Funerals", 1996),
    // MovieLens has the year in which it came to the United States.
    alias("Grand Day Out, A", 1992, "A Grand Day Out", 1989),
];

const fn alias(title: &'static str, year: u16, film: &'static str, film_year: u16) -> Alias {
    Alias {
        title,
        year,
        film,
        film_year,
    }
}
