"""Where visitors come from: cities of the world with their coordinates, and when they are awake.

A city's hour is that of the sun, from its longitude: near enough to tell day from night.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple


class City(NamedTuple):
    """A city; `weight` is its share of the visitors, relative to the others'."""

    name: str
    country: str
    latitude: float
    longitude: float
    time_zone: str
    language: str
    weight: int

    def local_hour(self, utc: float) -> float:
        """Give the hour there, 0 to 24, from the hour in UTC."""
        return (utc + self.longitude / 15) % 24


CITIES = (
    City("Amsterdam", "NL", 52.374, 4.8897, "Europe/Amsterdam", "nl", 16),
    City("Athens", "GR", 37.9838, 23.7278, "Europe/Athens", "el", 7),
    City("Barcelona", "ES", 41.3888, 2.159, "Europe/Madrid", "es", 14),
    City("Berlin", "DE", 52.5244, 13.4105, "Europe/Berlin", "de", 36),
    City("Brussels", "BE", 50.8505, 4.3488, "Europe/Brussels", "fr", 9),
    City("Bucharest", "RO", 44.4323, 26.1063, "Europe/Bucharest", "ro", 7),
    City("Budapest", "HU", 47.4984, 19.0404, "Europe/Budapest", "hu", 7),
    City("Copenhagen", "DK", 55.6759, 12.5655, "Europe/Copenhagen", "da", 9),
    City("Dublin", "IE", 53.3331, -6.2489, "Europe/Dublin", "en", 9),
    City("Hamburg", "DE", 53.5507, 9.993, "Europe/Berlin", "de", 20),
    City("Helsinki", "FI", 60.1695, 24.9354, "Europe/Helsinki", "fi", 8),
    City("Istanbul", "TR", 41.0138, 28.9497, "Europe/Istanbul", "tr", 18),
    City("Kyiv", "UA", 50.4547, 30.5238, "Europe/Kyiv", "uk", 10),
    City("Lisbon", "PT", 38.7167, -9.1333, "Europe/Lisbon", "pt", 9),
    City("London", "GB", 51.5085, -0.1257, "Europe/London", "en", 44),
    City("Madrid", "ES", 40.4165, -3.7026, "Europe/Madrid", "es", 18),
    City("Milan", "IT", 45.4643, 9.1895, "Europe/Rome", "it", 16),
    City("Munich", "DE", 48.1374, 11.5755, "Europe/Berlin", "de", 22),
    City("Oslo", "NO", 59.9127, 10.7461, "Europe/Oslo", "nb", 8),
    City("Paris", "FR", 48.8534, 2.3488, "Europe/Paris", "fr", 36),
    City("Prague", "CZ", 50.088, 14.4208, "Europe/Prague", "cs", 9),
    City("Rome", "IT", 41.8919, 12.5113, "Europe/Rome", "it", 14),
    City("Stockholm", "SE", 59.3294, 18.0687, "Europe/Stockholm", "sv", 11),
    City("Vienna", "AT", 48.2085, 16.3721, "Europe/Vienna", "de", 13),
    City("Warsaw", "PL", 52.2298, 21.0118, "Europe/Warsaw", "pl", 15),
    City("Zurich", "CH", 47.3667, 8.55, "Europe/Zurich", "de", 12),
    City("Atlanta", "US", 33.749, -84.388, "America/New_York", "en", 16),
    City("Boston", "US", 42.3584, -71.0598, "America/New_York", "en", 14),
    City("Chicago", "US", 41.85, -87.65, "America/Chicago", "en", 22),
    City("Dallas", "US", 32.7831, -96.8067, "America/Chicago", "en", 18),
    City("Denver", "US", 39.7392, -104.9847, "America/Denver", "en", 10),
    City("Los Angeles", "US", 34.0522, -118.2437, "America/Los_Angeles", "en", 34),
    City("Mexico City", "MX", 19.4285, -99.1277, "America/Mexico_City", "es", 22),
    City("Montreal", "CA", 45.5088, -73.5878, "America/Toronto", "fr", 11),
    City("New York", "US", 40.7143, -74.006, "America/New_York", "en", 44),
    City("San Francisco", "US", 37.7749, -122.4194, "America/Los_Angeles", "en", 18),
    City("Seattle", "US", 47.6062, -122.3321, "America/Los_Angeles", "en", 14),
    City("Toronto", "CA", 43.7001, -79.4163, "America/Toronto", "en", 18),
    City("Vancouver", "CA", 49.2497, -123.1193, "America/Vancouver", "en", 9),
    City("Bogotá", "CO", 4.6097, -74.0818, "America/Bogota", "es", 11),
    City("Buenos Aires", "AR", -34.6132, -58.3772, "America/Argentina/Buenos_Aires", "es", 16),
    City("Lima", "PE", -12.0432, -77.0282, "America/Lima", "es", 9),
    City("Rio de Janeiro", "BR", -22.9064, -43.1822, "America/Sao_Paulo", "pt", 15),
    City("Santiago", "CL", -33.4569, -70.6483, "America/Santiago", "es", 9),
    City("São Paulo", "BR", -23.5475, -46.6361, "America/Sao_Paulo", "pt", 28),
    City("Bangkok", "TH", 13.754, 100.5014, "Asia/Bangkok", "th", 14),
    City("Bengaluru", "IN", 12.9719, 77.5937, "Asia/Kolkata", "en", 20),
    City("Delhi", "IN", 28.6519, 77.2315, "Asia/Kolkata", "hi", 24),
    City("Dubai", "AE", 25.0772, 55.3093, "Asia/Dubai", "ar", 11),
    City("Hong Kong", "HK", 22.2783, 114.1747, "Asia/Hong_Kong", "zh", 14),
    City("Jakarta", "ID", -6.2146, 106.8451, "Asia/Jakarta", "id", 20),
    City("Manila", "PH", 14.6042, 120.9822, "Asia/Manila", "en", 14),
    City("Mumbai", "IN", 19.0728, 72.8826, "Asia/Kolkata", "hi", 24),
    City("Osaka", "JP", 34.6938, 135.5011, "Asia/Tokyo", "ja", 14),
    City("Seoul", "KR", 37.566, 126.9784, "Asia/Seoul", "ko", 24),
    City("Singapore", "SG", 1.2897, 103.8501, "Asia/Singapore", "en", 16),
    City("Taipei", "TW", 25.0478, 121.5319, "Asia/Taipei", "zh", 12),
    City("Tel Aviv", "IL", 32.0809, 34.7806, "Asia/Jerusalem", "he", 8),
    City("Tokyo", "JP", 35.6895, 139.6917, "Asia/Tokyo", "ja", 36),
    City("Cairo", "EG", 30.0626, 31.2497, "Africa/Cairo", "ar", 11),
    City("Cape Town", "ZA", -33.9258, 18.4232, "Africa/Johannesburg", "en", 6),
    City("Lagos", "NG", 6.4541, 3.3947, "Africa/Lagos", "en", 11),
    City("Nairobi", "KE", -1.2833, 36.8167, "Africa/Nairobi", "en", 6),
    City("Auckland", "NZ", -36.8485, 174.7635, "Pacific/Auckland", "en", 7),
    City("Melbourne", "AU", -37.814, 144.9633, "Australia/Melbourne", "en", 13),
    City("Sydney", "AU", -33.8679, 151.2073, "Australia/Sydney", "en", 15),
)

CONTINENTS = {
    "AF": "Africa",
    "AS": "Asia",
    "EU": "Europe",
    "NA": "North America",
    "OC": "Oceania",
    "SA": "South America",
}
COUNTRIES = {
    "AE": ("United Arab Emirates", "AS"),
    "AR": ("Argentina", "SA"),
    "AT": ("Austria", "EU"),
    "AU": ("Australia", "OC"),
    "BE": ("Belgium", "EU"),
    "BR": ("Brazil", "SA"),
    "CA": ("Canada", "NA"),
    "CH": ("Switzerland", "EU"),
    "CL": ("Chile", "SA"),
    "CO": ("Colombia", "SA"),
    "CZ": ("Czechia", "EU"),
    "DE": ("Germany", "EU"),
    "DK": ("Denmark", "EU"),
    "EG": ("Egypt", "AF"),
    "ES": ("Spain", "EU"),
    "FI": ("Finland", "EU"),
    "FR": ("France", "EU"),
    "GB": ("United Kingdom", "EU"),
    "GR": ("Greece", "EU"),
    "HK": ("Hong Kong", "AS"),
    "HU": ("Hungary", "EU"),
    "ID": ("Indonesia", "AS"),
    "IE": ("Ireland", "EU"),
    "IL": ("Israel", "AS"),
    "IN": ("India", "AS"),
    "IT": ("Italy", "EU"),
    "JP": ("Japan", "AS"),
    "KE": ("Kenya", "AF"),
    "KR": ("South Korea", "AS"),
    "MX": ("Mexico", "NA"),
    "NG": ("Nigeria", "AF"),
    "NL": ("Netherlands", "EU"),
    "NO": ("Norway", "EU"),
    "NZ": ("New Zealand", "OC"),
    "PE": ("Peru", "SA"),
    "PH": ("Philippines", "AS"),
    "PL": ("Poland", "EU"),
    "PT": ("Portugal", "EU"),
    "RO": ("Romania", "EU"),
    "SE": ("Sweden", "EU"),
    "SG": ("Singapore", "AS"),
    "TH": ("Thailand", "AS"),
    "TR": ("Turkey", "AS"),
    "TW": ("Taiwan", "AS"),
    "UA": ("Ukraine", "EU"),
    "US": ("United States", "NA"),
    "ZA": ("South Africa", "AF"),
}
"""Name and continent of each country that a city lies in."""

# How busy a city is at each hour of its day: least before dawn, most in the evening.
_HOURS = (
    *(0.55, 0.35, 0.22, 0.15, 0.12, 0.15, 0.30, 0.60, 0.85, 0.95, 1.00, 1.10),
    *(1.25, 1.20, 1.10, 1.05, 1.10, 1.20, 1.40, 1.65, 1.90, 1.95, 1.60, 1.05),
)
_MEAN = sum(_HOURS) / 24
BUSIEST = max(_HOURS) / _MEAN
_WEIGHTS = [city.weight for city in CITIES]


def busy(hour: float) -> float:
    """Give how busy a city is at an hour there: 1 on the average of a day, BUSIEST at most."""
    low = int(hour)
    here, there = _HOURS[low % 24], _HOURS[(low + 1) % 24]
    return (here + (there - here) * (hour - low)) / _MEAN


def is_awake(city: City, utc: float, rng: Random) -> bool:
    """Tell whether somebody who might come from a city does at this hour."""
    return rng.random() * BUSIEST < busy(city.local_hour(utc))


def any_city(rng: Random) -> City:
    """Draw a city by the weights."""
    return rng.choices(CITIES, _WEIGHTS)[0]
