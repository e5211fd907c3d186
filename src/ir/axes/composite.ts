/** Axes whose positions are made of several letters: which of them labels speak of. */
import { NONE, type Classes } from './classes.ts';
import { type Part } from './row.ts';

/** Whether the labels of an axis depend on the coordinate of one part's letter, of so many coordinates, alone. */
export function fits(part: Part, size: number, labels: Int32Array, classes: Classes): boolean {
	if (size < 2) return false;
	const seen = new Int32Array(size);
	for (let position = 0; position < labels.length; position++) {
		const label = labels[position] ?? NONE;
		if (label === NONE) continue;
		const at = part.index === null ? position : (part.index[position] ?? -1);
		if (at < 0) return false;
		const root = classes.find(label);
		if (seen[at] === NONE) seen[at] = root;
		else if (classes.find(seen[at] ?? NONE) !== root) return false;
	}
	return true;
}

/** Whether no position has a coordinate in two of the parts, as behind a Concat. */
export function areDisjoint(parts: readonly Part[], size: number): boolean {
	for (let position = 0; position < size; position++) {
		const owners = parts.filter((part) => part.index === null || (part.index[position] ?? -1) >= 0);
		if (owners.length > 1) return false;
	}
	return true;
}
