/** What blocks are built with: a graph in the making, numbers of its class, and draws that are the block's own. */
import { stream } from '../../src/data/generate.ts';
import { elementCount } from '../../src/ir/graph/graph.ts';
import { type Build } from '../harness/model.ts';

/**
 * `exact`: weights and inputs are small integers and no operator divides, roots, or goes through a transcendental, so that
 * float32 sums are exact in any order. `float`: everything else.
 */
export type Exactness = 'exact' | 'float';

/** image [batch, width, size, size] · sequence [batch, seq, width] · vector [batch, width]; batch and seq are symbols. */
export type Kind = 'image' | 'sequence' | 'vector';
export type Flow = {
	readonly name: string;
	readonly kind: Kind;
	readonly width: number;
	/** Height and width of an image; 0 for others. */
	readonly size: number;
};

/** Seeded choices. */
export class Draw {
	private readonly next: () => number;

	constructor(seed: number) {
		this.next = stream(seed);
	}

	/** An integer from 0 up to, without, `count`. */
	below(count: number): number {
		return Math.floor(this.next() * count);
	}

	/** An integer from `low` to `high`, both included. */
	from(low: number, high: number): number {
		return low + this.below(high - low + 1);
	}

	pick<T>(list: readonly [T, ...T[]] | readonly T[]): T {
		return list[this.below(list.length)] as T;
	}

	chance(share: number): boolean {
		return this.next() < share;
	}

	seed(): number {
		return this.below(1_000_000);
	}

	/** Between -1 and 1. */
	real(): number {
		return 2 * this.next() - 1;
	}
}

/** Weights that were made, in order: a block built a second time takes the same ones. */
export type Tape = { readonly names: string[]; at: number };

export class Kit {
	readonly b: Build;
	readonly exactness: Exactness;
	readonly draw: Draw;
	readonly opset: number;
	private readonly tape: Tape | undefined;
	/** Vectors of zeros by length, which exporters share between layers that have nothing else in common. */
	private readonly zeros: Map<number, string>;

	constructor(
		b: Build,
		exactness: Exactness,
		opset: number,
		draw: Draw,
		tape?: Tape,
		zeros = new Map<number, string>(),
	) {
		this.b = b;
		this.exactness = exactness;
		this.opset = opset;
		this.draw = draw;
		this.tape = tape;
		this.zeros = zeros;
	}

	/** A kit for a body inside the graph: what it makes is seen nowhere else. */
	body(): Kit {
		return new Kit(this.b.body(), this.exactness, this.opset, new Draw(this.draw.seed()));
	}

	/** The same graph with a block's own draws; on a tape also the weights that were made before. */
	inside(seed: number, tape = this.tape): Kit {
		return new Kit(this.b, this.exactness, this.opset, new Draw(seed), tape, this.zeros);
	}

	get exact(): boolean {
		return this.exactness === 'exact';
	}

	/** A weight: integers of up to 2, or floats that keep a sum of `fan` terms about as large as they are. */
	weight(dims: readonly number[], fan = dims[0] ?? 1): string {
		const scale = Math.sqrt(3 / fan);
		return this.drawn(dims, (draw) => (this.exact ? draw.from(-2, 2) : draw.real() * scale));
	}

	/** A vector of numbers that differ from one, for scales; none is zero. */
	scale(dims: readonly number[]): string {
		return this.drawn(dims, (draw) => (this.exact ? draw.pick([-2, -1, 1, 2]) : 1 + draw.real() / 2));
	}

	/** A bias; now and then the zeros that other layers have too, behind an Identity as exporters put it. */
	bias(size: number): string {
		if (this.tape !== undefined || !this.draw.chance(0.15)) return this.weight([size], 4);
		const known = this.zeros.get(size);
		const zeros = known ?? this.b.floats(new Array<number>(size).fill(0));
		this.zeros.set(size, zeros);
		return known === undefined ? zeros : this.b.node('Identity', [zeros]);
	}

	node(
		op: string,
		inputs: readonly string[],
		attributes: Parameters<Build['node']>[2] = {},
		domain = '',
	): string {
		return this.b.node(op, inputs, attributes, domain);
	}

	/** Keeps integers small without losing track of any: the remainder by 7. Floats stay as they are. */
	bounded(value: string): string {
		return this.exact ? this.node('Mod', [value, this.b.floats([7], [])], { fmod: 1 }) : value;
	}

	/** A size of a value as a vector of one number, computed in the graph. */
	sizeAt(value: string, axis: number): string {
		return this.node('Gather', [this.node('Shape', [value]), this.b.ints([axis])]);
	}

	/** A Reshape whose leading sizes are copied or computed; `tail` may hold one -1 where `lead` copies. */
	reshape(value: string, lead: number, tail: readonly number[]): string {
		if (this.draw.chance(0.6))
			return this.node('Reshape', [value, this.b.ints([...Array.from({ length: lead }, () => 0), ...tail])]);
		const sizes = Array.from({ length: lead }, (_, axis) => this.sizeAt(value, axis));
		return this.node('Reshape', [value, this.node('Concat', [...sizes, this.b.ints(tail)], { axis: 0 })]);
	}

	transpose(value: string, ...perm: readonly number[]): string {
		return this.node('Transpose', [value], { perm });
	}

	/** A reduction that drops its axes, which were an attribute until opset 18. */
	reduce(op: string, value: string, axes: readonly number[], keepdims = 0): string {
		return this.opset < 18 && op !== 'ReduceSum'
			? this.node(op, [value], { axes, keepdims })
			: this.node(op, [value, this.b.ints(axes)], { keepdims });
	}

	/** A range of an axis. */
	slice(value: string, axis: number, from: number, to: number): string {
		return this.node('Slice', [value, this.b.ints([from]), this.b.ints([to]), this.b.ints([axis])]);
	}

	/** Consecutive parts of an axis: by Split, or by one Slice each. */
	split(value: string, axis: number, ...sizes: readonly number[]): string[] {
		if (this.draw.chance(0.5)) {
			let from = 0;
			return sizes.map((size) => this.slice(value, axis, from, (from += size)));
		}
		const first = this.b.node('Split', [value, this.b.ints(sizes)], { axis }, '', sizes.length);
		return sizes.map((_, at) => (at === 0 ? first : `${first}_${at}`));
	}

	/** `x · W + b` along the last axis. */
	linear(value: string, from: number, to: number): string {
		const product = this.node('MatMul', [value, this.weight([from, to])]);
		const whole = this.draw.chance(0.7) ? this.node('Add', [product, this.bias(to)]) : product;
		return this.bounded(whole);
	}

	/** An activation that integers survive. */
	activation(value: string): string {
		const { b } = this;
		const [zero, two] = [(): string => b.floats([0], []), (): string => b.floats([2], [])];
		const made: readonly (() => string)[] = [
			() => this.node('Relu', [value]),
			() => this.node('Relu', [value]),
			() => this.node('Abs', [value]),
			() => this.node('Clip', [value, b.floats([-3], []), b.floats([5], [])]),
			() => this.node('Max', [value, zero()]),
			() => this.node('Where', [this.node('Greater', [value, zero()]), value, this.node('Neg', [value])]),
			() => this.node('Add', [value, two()]),
			() => this.node('LeakyRelu', [value], { alpha: { kind: 'float', value: 2 } }),
		];
		return this.draw.pick(made)();
	}

	/** A new constant, or the one that was made at this place before; either way the draws that follow are the same. */
	private drawn(dims: readonly number[], value: (draw: Draw) => number): string {
		const [{ tape }, own] = [this, new Draw(this.draw.seed())];
		const made = tape?.names[tape.at];
		const count = elementCount(dims);
		const name =
			made ??
			this.b.floats(
				Array.from({ length: count }, () => value(own)),
				dims,
			);
		if (tape !== undefined) tape.names[tape.at++] = name;
		return name;
	}
}

/** A value of another width: a 1×1 convolution, or a product. */
export function project(kit: Kit, x: Flow, width: number): Flow {
	if (x.width === width) return x;
	const { name } = x;
	if (x.kind !== 'image') return { ...x, width, name: kit.linear(name, x.width, width) };
	const weight = kit.weight([width, x.width, 1, 1], x.width);
	return { ...x, width, name: kit.bounded(kit.node('Conv', [name, weight])) };
}
