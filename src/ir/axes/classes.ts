/** Labels and what they have become: classes of positions that go together, or that cannot go, with the reason. */

/** No label, and the class of what cannot go. */
export const NONE = 0;
export const PIN = 1;

/** Arrays without a label, by their size. */
const blank = new Map<number, Int32Array>();

function blankOf(size: number): Int32Array {
	const known = blank.get(size) ?? new Int32Array(size);
	blank.set(size, known);
	return known;
}

/**
 * The labels on the positions of an axis or the coordinates of a letter. Most axes of a walk have the same ones: those share an array,
 * and whoever is labelled further gets one of its own.
 */
export class Labels {
	private array: Int32Array;
	private isShared = true;
	/** How many positions have one. */
	count = 0;

	constructor(size: number) {
		this.array = blankOf(size);
	}

	/** A seed's: one of its own for every coordinate that is not covered, or that of the coordinate it goes with. */
	static ofSeed(size: number, covered?: Uint8Array, groups?: Int32Array): Labels {
		const labels = new Labels(size);
		const array = new Int32Array(size);
		for (let at = 0; at < size; at++) {
			if (covered?.[at] === 1) continue;
			array[at] = (groups?.[at] ?? at) + 2;
			labels.count++;
		}
		labels.array = array;
		labels.isShared = false;
		return labels;
	}

	/** One and the same array says the same labels. */
	get at(): Int32Array {
		return this.array;
	}

	/** Labels a position that has none. */
	put(position: number, label: number): void {
		if (this.isShared) this.array = this.array.slice();
		this.isShared = false;
		this.array[position] = label;
		this.count++;
	}

	/**
	 * Takes a source's labels where this has none, position p those of the source's `index[p]`, or of its p; where both have one they
	 * meet. Says whether anything was taken.
	 */
	take(source: Labels, index: Int32Array | null, meet: (left: number, right: number) => void): boolean {
		const [own, from] = [this.array, source.array];
		if (own === from) return false;
		const { count } = this;
		if (count === 0 && index === null && own.length === from.length) return this.share(source);
		for (let position = 0; position < own.length; position++) {
			const at = index === null ? position : (index[position] ?? -1);
			const label = at < 0 ? NONE : (from[at] ?? NONE);
			const before = own[position] ?? NONE;
			if (label === before || label === NONE) continue;
			if (before === NONE) this.put(position, label);
			else meet(before, label);
		}
		return this.count > count;
	}

	private share(source: Labels): boolean {
		this.array = source.array;
		this.count = source.count;
		source.isShared = true;
		return this.count > 0;
	}
}

/** A union-find over labels; those of a walk's seed are counted from 2. */
export class Classes {
	private readonly parent: Int32Array;
	/** Reasons for pins, by how many classes each took. */
	readonly pins: Map<string, number>;

	constructor(parent: Int32Array, pins: ReadonlyMap<string, number> = new Map()) {
		this.parent = parent;
		this.pins = new Map(pins);
	}

	static of(labels: number): Classes {
		const parent = new Int32Array(labels + 2);
		for (let label = 0; label < parent.length; label++) parent[label] = label;
		return new Classes(parent);
	}

	/** The same classes, to be pinned further. */
	copy(): Classes {
		return new Classes(this.parent.slice(), this.pins);
	}

	/** Every label there is, those of nothing and of pins included. */
	get count(): number {
		return this.parent.length;
	}

	/** The representative of a label. */
	find(label: number): number {
		let root = label;
		while (this.parent[root] !== root) root = this.parent[root] ?? PIN;
		this.parent[label] = root;
		return root;
	}

	pin(label: number, why: string): void {
		const root = this.find(label);
		if (root === PIN || root === NONE) return;
		this.parent[root] = PIN;
		this.pins.set(why, (this.pins.get(why) ?? 0) + 1);
	}

	pinAll({ at }: Labels, why: string): void {
		for (const label of at) if (label !== NONE) this.pin(label, why);
	}

	/** Makes two classes one; what is joined to a pinned one is pinned, for the reason that `why` gives. */
	union(left: number, right: number, why: () => string): void {
		const [a, b] = [this.find(left), this.find(right)];
		if (a === b) return;
		if (a === PIN || b === PIN) this.pin(a === PIN ? b : a, why());
		else this.parent[Math.max(a, b)] = Math.min(a, b);
	}

	/** The most frequent reason first. */
	reasons(): string[] {
		return [...this.pins].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([why]) => why);
	}
}
