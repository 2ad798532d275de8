//! Reads the two files into a [`Timetable`].

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::path::Path;

use jiff::civil::{Date, DateTime, Time};

use crate::globe::{Arc, Point, point};
use crate::rows::{Result, Row, rows};

pub struct Airport {
    pub code: String,
    pub name: String,
    pub place: Point,
}

pub struct Flight {
    /// Minutes after midnight, local time. One clock serves for all, so all flights should leave from one time zone.
    pub departs: usize,
    /// Minutes in the air, at least one.
    pub minutes: usize,
    /// Indexes into [`Timetable::airports`].
    pub origin: usize,
    pub dest: usize,
}

impl Flight {
    pub fn lands(&self) -> usize {
        self.departs + self.minutes
    }
}

/// One day's flights, by departure.
pub struct Timetable {
    day: Date,
    pub airports: Vec<Airport>,
    pub flights: Vec<Flight>,
}

impl Timetable {
    /// The flights of `day`, or of the first day in the file.
    pub fn read(flights: &Path, airports: &Path, day: Option<Date>) -> Result<Self> {
        let (airports, codes) = read_airports(airports)?;
        let dated = read_flights(flights, &codes)?;
        let day = choose_day(flights, &dated, day)?;
        let that_day = dated.into_iter().filter(|(date, _)| *date == day);
        let mut flights: Vec<Flight> = that_day.map(|(_, flight)| flight).collect();
        flights.sort_by_key(|flight| flight.departs);
        Ok(Timetable {
            day,
            airports,
            flights,
        })
    }

    /// Such as "855 flights from EWR, JFK, LGA".
    pub fn title(&self) -> String {
        let code = |airport: usize| self.airports[airport].code.as_str();
        let origins: Vec<&str> = self.origins().into_iter().map(code).collect();
        let from = match origins.len() {
            ..=6 => origins.join(", "),
            many => format!("{many} airports"),
        };
        format!("{} from {from}", count(self.flights.len(), "flight"))
    }

    /// Such as "Monday, 1 July 2013".
    pub fn date(&self) -> String {
        self.day.strftime("%A, %-d %B %Y").to_string()
    }

    /// The minute of the last landing; past midnight it is beyond 1440.
    pub fn end(&self) -> usize {
        self.flights.iter().map(Flight::lands).max().unwrap_or(0)
    }

    pub fn arc(&self, flight: &Flight) -> Arc {
        let place = |airport: usize| self.airports[airport].place;
        Arc::between(place(flight.origin), place(flight.dest))
    }

    /// How many departures and arrivals each airport has.
    pub fn visits(&self) -> Vec<usize> {
        let mut visits = vec![0; self.airports.len()];
        for flight in &self.flights {
            visits[flight.origin] += 1;
            visits[flight.dest] += 1;
        }
        visits
    }

    /// The airports that have flights, the busiest first.
    pub fn used(&self) -> Vec<usize> {
        let visits = self.visits();
        let mut used: Vec<usize> = (0..visits.len()).filter(|&i| visits[i] > 0).collect();
        used.sort_by_key(|&airport| Reverse(visits[airport]));
        used
    }

    /// Those of them that flights leave from.
    pub fn origins(&self) -> Vec<usize> {
        let origins: HashSet<usize> = self.flights.iter().map(|flight| flight.origin).collect();
        let mut used = self.used();
        used.retain(|airport| origins.contains(airport));
        used
    }
}

fn choose_day(path: &Path, dated: &[(Date, Flight)], day: Option<Date>) -> Result<Date> {
    let days = || dated.iter().map(|(date, _)| *date);
    let (Some(first), Some(last)) = (days().min(), days().max()) else {
        return Err(format!("{}: there are no flights in it", path.display()).into());
    };
    match day {
        None => Ok(first),
        Some(day) if days().any(|date| date == day) => Ok(day),
        Some(day) => {
            let path = path.display();
            Err(format!("{path}: no flights on {day}; it goes from {first} to {last}").into())
        }
    }
}

type Codes = HashMap<String, usize>;

fn read_airports(path: &Path) -> Result<(Vec<Airport>, Codes)> {
    let mut airports = Vec::new();
    let mut codes = Codes::new();
    for row in &rows(path, ["faa", "name", "lat", "lon"])? {
        let airport = airport(row)?;
        if codes.insert(airport.code.clone(), airports.len()).is_some() {
            return Err(row.complaint(&format!("there is an airport {} already", airport.code)));
        }
        airports.push(airport);
    }
    Ok((airports, codes))
}

fn airport(row: &Row<'_, 4>) -> Result<Airport> {
    let degrees = |column, most: f64| {
        let within = |degrees: &f64| (-most..=most).contains(degrees);
        let what = format!("a number from -{most} to {most}");
        row.read(column, &what, |text| text.parse().ok().filter(within))
    };
    Ok(Airport {
        code: row.text("faa").to_owned(),
        name: row.text("name").to_owned(),
        place: point(degrees("lat", 90.0)?, degrees("lon", 180.0)?),
    })
}

fn read_flights(path: &Path, codes: &Codes) -> Result<Vec<(Date, Flight)>> {
    let rows = rows(path, ["departure", "minutes", "origin", "dest"])?;
    rows.iter().map(|row| flight(row, codes)).collect()
}

fn flight(row: &Row<'_, 4>, codes: &Codes) -> Result<(Date, Flight)> {
    let airport = |column| {
        let known = |code: &str| codes.get(code).copied();
        row.read(column, "one of the airports", known)
    };
    let departure = row.read("departure", "a time such as 2013-07-01T23:59", |text| {
        DateTime::strptime("%Y-%m-%dT%H:%M", text).ok()
    })?;
    let minutes = row.read("minutes", "a whole number from 1 to 1440", |text| {
        text.parse()
            .ok()
            .filter(|minutes| (1..=1440).contains(minutes))
    })?;
    let since_midnight = departure.time().duration_since(Time::midnight());
    let flight = Flight {
        departs: since_midnight.as_mins().unsigned_abs() as usize,
        minutes,
        origin: airport("origin")?,
        dest: airport("dest")?,
    };
    Ok((departure.date(), flight))
}

pub fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}
