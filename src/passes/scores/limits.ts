/** What must not happen to a family: an axis of which nothing is left, a norm that has nothing to tell. */
import { type Family } from '../../ir/axes/families.ts';
import { type NetTensor } from '../../ir/axes/net.ts';
import { choosersOf } from '../units/choosers.ts';

/** How many units must stay for the rest to mean something: a norm over one position gives the same whatever goes in. */
export function leastOf(family: Family): 1 | 2 {
	const alone = [...family.letters].some(([{ row }, classes]) =>
		(row?.letters ?? []).some(
			({ role }, at) =>
				role === 'statistic' &&
				classes[at]?.every((unit) => unit >= 0) === true &&
				!row?.letters.some((other) => other.role === 'pinned' && other.size > 1),
		),
	);
	return alone ? 2 : 1;
}

/** Counts, for every axis that belongs to some of a family's units alone, how many of them still stay; and for who chooses among them, how many more can go. */
export class Limits {
	private readonly axesOf: readonly (readonly number[])[];
	private readonly left: number[] = [];

	constructor(family: Family) {
		const axesOf: number[][] = Array.from({ length: family.units }, () => []);
		// Axes that are labelled alike are one array, or the same numbers in several.
		const seen = new Set<Int32Array | string>();
		for (const axes of family.axes.values()) {
			for (const units of axes) {
				if (units === undefined || seen.has(units)) continue;
				seen.add(units);
				const owners = ownersOf(units, family.units);
				const key = owners?.join(',') ?? '';
				if (owners === undefined || seen.has(key)) continue;
				seen.add(key);
				const axis = this.left.push(owners.length) - 1;
				owners.forEach((unit) => axesOf[unit]?.push(axis));
			}
		}
		for (const { room, units, clips } of choosersOf(family)) {
			if (clips) continue;
			const axis = this.left.push(room + 1) - 1;
			new Set(units).forEach((unit) => axesOf[unit]?.push(axis));
		}
		this.axesOf = axesOf;
	}

	/** Takes a unit away, unless an axis would be left without any, or who chooses with too few. */
	take(unit: number): boolean {
		const axes = this.axesOf[unit] ?? [];
		if (axes.some((axis) => (this.left[axis] ?? 0) <= 1)) return false;
		for (const axis of axes) this.left[axis] = (this.left[axis] ?? 0) - 1;
		return true;
	}
}

/**
 * The units that an axis consists of; undefined when it has other positions too, or all units of the family. An axis of one position
 * is what is picked of a longer one, and goes with it.
 */
function ownersOf(units: Int32Array, all: number): number[] | undefined {
	if (units.length === 1) return undefined;
	const isOwner = new Uint8Array(all);
	let count = 0;
	for (const unit of units) {
		if (unit < 0) return undefined;
		count += 1 - (isOwner[unit] ?? 1);
		isOwner[unit] = 1;
	}
	return count < all ? [...isOwner.keys()].filter((unit) => isOwner[unit] === 1) : undefined;
}

/**
 * The same for axes that units of several families make together: half of the channels behind a shuffle is some of this convolution's
 * and some of that one's. Where all units of a family are on an axis, that one of them stays is enough.
 */
export class CommonLimits {
	private readonly axesOf = new Map<Family, number[][]>();
	private readonly left: number[] = [];

	constructor(families: readonly Family[]) {
		const sharers = new Map<NetTensor, Family[]>();
		for (const family of families) {
			this.axesOf.set(
				family,
				Array.from({ length: family.units }, () => []),
			);
			for (const tensor of family.axes.keys()) sharers.set(tensor, [...(sharers.get(tensor) ?? []), family]);
		}
		for (const [tensor, own] of sharers) if (own.length > 1) this.note(tensor, own);
	}

	hasRoom(family: Family, unit: number): boolean {
		return (this.axesOf.get(family)?.[unit] ?? []).every((axis) => (this.left[axis] ?? 0) > 1);
	}

	take(family: Family, unit: number): void {
		for (const axis of this.axesOf.get(family)?.[unit] ?? []) this.left[axis] = (this.left[axis] ?? 0) - 1;
	}

	private note(tensor: NetTensor, families: readonly Family[]): void {
		for (let at = 0; at < tensor.sizes.length; at++) {
			const owners = commonOwners(families, tensor, at);
			if (owners === undefined) continue;
			const axis = this.left.push(owners.length) - 1;
			for (const [family, unit] of owners) this.axesOf.get(family)?.[unit]?.push(axis);
		}
	}
}

/** The units that an axis consists of, of more than one family; undefined when it has other positions too, or all units of a family. */
function commonOwners(
	families: readonly Family[],
	tensor: NetTensor,
	axis: number,
): (readonly [Family, number])[] | undefined {
	const covered = new Uint8Array(tensor.sizes[axis] ?? 0);
	const found: (readonly [Family, number])[] = [];
	for (const family of families) {
		const units = new Set<number>();
		family.axes.get(tensor)?.[axis]?.forEach((unit, position) => {
			if (unit < 0) return;
			covered[position] = 1;
			units.add(unit);
		});
		if (units.size === family.units) return undefined;
		for (const unit of units) found.push([family, unit]);
	}
	return found.length > 0 && covered.every(Boolean) ? found : undefined;
}
