/** Times: windows to look at, equal stretches of them, and how they are written. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The windows that can be chosen: how long each is in ms, null for all there is. */
export const WINDOWS = {
  "15m": { label: "15 min", long: 15 * MINUTE },
  "1h": { label: "1 hour", long: HOUR },
  "24h": { label: "24 hours", long: DAY },
  "7d": { label: "7 days", long: 7 * DAY },
  all: { label: "All", long: null },
};

const STEPS = [
  ...[1, 5, 10, 15, 30].map((count) => count * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((count) => count * MINUTE),
  ...[1, 2, 3, 6, 12].map((count) => count * HOUR),
  ...[1, 7, 30, 365].map((count) => count * DAY),
];

/** Cut [low, high] into at most so many round stretches: {low, high, step, buckets}. */
export function stretches(low, high, most) {
  const wanted = Math.max((high - low) / most, 1);
  const step = STEPS.find((each) => each >= wanted) ?? Math.ceil(wanted / DAY) * DAY;
  const begin = Math.floor(low / step) * step;
  const buckets = Math.max(Math.floor(high / step) - begin / step + 1, 1);
  return { low: begin, high: begin + buckets * step, step, buckets };
}

const two = (number) => String(number).padStart(2, "0");

/** Write an instant as people here do: 2026-11-25 23:14:05. */
export function instant(ms) {
  const date = new Date(ms);
  return `${day(date)} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

const day = (date) => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;

/** Write an instant as short as a stretch of so many ms allows. */
export function tick(ms, step) {
  const date = new Date(ms);
  if (step >= DAY) return day(date);
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return step < MINUTE ? `${clock}:${two(date.getSeconds())}` : clock;
}

/** Write a length of time: 5 min. */
export function span(ms) {
  for (const [unit, name] of [
    [DAY, "d"],
    [HOUR, "h"],
    [MINUTE, "min"],
  ])
    if (ms >= unit) return `${ms / unit} ${name}`;
  return `${ms / SECOND} s`;
}

/** Whether a number is most likely a time in epoch ms: from 2001 to 2100, and the path fits. */
export function isTime(path, number) {
  return number > 978_307_200_000 && number < 4_102_444_800_000 && looksLikeTime(path);
}

const OF_TIMES = new Set(
  "utc time date updated created seen start started end ended expires received at ms ts".split(" "),
);

/** Whether the last word of a path is one that times have: lastUpdated, created_at, startUTC. */
export function looksLikeTime(path) {
  const [last = ""] = /[A-Z]?[a-z]+$|[A-Z]+$/.exec(path) ?? [];
  return OF_TIMES.has(last.toLowerCase());
}

/** Write a count with its thousands apart. */
export const number = (count) => count.toLocaleString("en-US");

/** Write how many there are of what: 1 item, 2 items. */
export const counted = (count, one) => `${number(count)} ${one}${count === 1 ? "" : "s"}`;
