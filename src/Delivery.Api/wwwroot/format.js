const clock = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' });
const day = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });

/** A time span for people; null when either end is unknown. */
export function duration(from, to) {
  const milliseconds = Date.parse(to) - Date.parse(from);
  return milliseconds >= 0 ? span(milliseconds) : null;
}

/** @param {number} milliseconds */
export function span(milliseconds) {
  if (milliseconds < 1_000) {
    return `${Math.round(milliseconds)} ms`;
  }

  if (milliseconds < 59_950) {
    return `${(milliseconds / 1_000).toFixed(1)} s`;
  }

  const seconds = Math.round(milliseconds / 1_000);
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** The time of day, or the day where that is another one than today. */
export function when(time, now = new Date()) {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? '' : (date.toDateString() === now.toDateString() ? clock : day).format(date);
}

export const count = (number, one, many = `${one}s`) => `${number.toLocaleString('en')} ${number === 1 ? one : many}`;

export function bytes(number) {
  return number < 1_024 ? `${number} B` : number < 1_048_576 ? `${(number / 1_024).toFixed(1)} KB` : `${(number / 1_048_576).toFixed(1)} MB`;
}

/** The first words of a text, on one line. */
export function oneLine(text, most = 80) {
  const line = text.slice(0, most * 4).replace(/\s+/g, ' ').trim();
  return line.length > most ? `${line.slice(0, most)}…` : line;
}
