/**
 * The law of rows: what removing coordinates of a letter does to one node, as onnxruntime shows it.
 *
 *     small = f(every operand cut along all terms of the letter, size slots edited by `resize`)
 *     kept  = f(x) cut along the same terms
 *     zero  = f(x with one operand zeroed where it would be cut), cut along the same terms
 */
import { wantedOutputs } from '../../src/ir/axes/example.ts';
import { operatorOf } from '../../src/ir/axes/table.ts';
import { type Example, type Operator, type Removal, type Resized } from '../../src/ir/axes/operator.ts';
import { isRow, type Row, type Side, type Term } from '../../src/ir/axes/row.ts';
import { type NodeView } from '../../src/ir/axes/view.ts';
import { bug, present } from '../../src/diagnostic.ts';
import { inferFacts, type Facts } from '../../src/ir/graph/facts.ts';
import { elementCount, type Attribute } from '../../src/ir/graph/graph.ts';
import { callOf, generator, modelOf, run, type Call, type Fed, type Value } from './one-node.ts';

/** An example of one operator of an entry, run whole. */
export type Trial = {
	readonly label: string;
	readonly operator: Operator;
	readonly call: Call;
	readonly facts: Facts;
	readonly view: NodeView;
	readonly row: Row | undefined;
	readonly full: readonly (Value | undefined)[];
	/** The example shows a node that has no row on purpose. */
	readonly unrelated: boolean;
};

/** What one removal showed. */
export type Finding = {
	readonly letter: string;
	readonly role: string;
	/** onnxruntime or `resize` would not do it: their words. */
	readonly refused?: string;
	/** Nothing but the cut changed. */
	readonly carried: boolean;
	/** Nothing changed at all: the operand does not matter, so the example proves nothing. */
	readonly idle: boolean;
	/** Input slots of which zeroing alone gives what cutting gives. */
	readonly zeroed: readonly number[];
	/** Input slots that the letter lies on. */
	readonly slots: readonly number[];
	/** How far the closest equality was missed, relative to the largest value. */
	readonly distance: number;
};

export function labelOf(op: string, domain: string, example: Example, at: number): string {
	const opset = example.opset === undefined ? '' : ` (opset ${example.opset})`;
	return `${domain === '' ? '' : 'ms.'}${op}#${at}${opset}`;
}

/** The engine's view of an example, without running it. */
export function describe(op: string, domain: string, example: Example): { call: Call; facts: Facts } {
	const wanted = wantedOutputs(example);
	const untyped = callOf(
		op,
		domain,
		example,
		wanted.map((is) => (is ? 1 : undefined)),
	);
	const shapes = untyped.inputs.flatMap((input, slot): [string, readonly number[]][] =>
		input === undefined || input.constant ? [] : [[`i${slot}`, input.dims]],
	);
	const facts = inferFacts(modelOf(untyped), new Map(shapes));
	const types = wanted.map((is, slot) => (is ? (facts.of(`o${slot}`)?.type ?? 0) : undefined));
	return { call: { ...untyped, outputs: types }, facts };
}

export async function trial(op: string, domain: string, example: Example, at: number): Promise<Trial> {
	const { call, facts } = describe(op, domain, example);
	const label = labelOf(op, domain, example, at);
	const operator = present(operatorOf({ domain, op }), label);
	const full = await run(call);
	const view = facts.view(present(modelOf(call).graph.nodes[0], label));
	const row = operator.row(view);
	const unrelated = example.unrelated ?? operator.reads !== undefined;
	if (!isRow(row) && !unrelated) bug(`${label} has no row: ${row.unrelated}`);
	if (isRow(row) && unrelated) bug(`${label} has a row after all`);
	return { label, operator, call, facts, view, row: isRow(row) ? row : undefined, full, unrelated };
}

/** Coordinates that go: three of a long letter, one of a short one, not the edges alone. */
function deadSet(size: number, random: () => number, draw: number): Uint8Array {
	const dead = new Uint8Array(size);
	const count = size > 5 ? 3 : size > 4 ? 2 : 1;
	dead[size > 2 && draw === 0 ? 1 + Math.floor(random() * (size - 2)) : Math.floor(random() * size)] = 1;
	for (let left = count - 1; left > 0;) {
		const at = Math.floor(random() * size);
		if (dead[at] === 1) continue;
		dead[at] = 1;
		left--;
	}
	return dead;
}

function keptAlong(term: Term, letter: number, size: number, dead: Uint8Array): number[] | undefined {
	const parts = term.parts.filter((part) => part.letter === letter);
	if (parts.length === 0) return undefined;
	const isDead = (position: number): boolean =>
		parts.some(({ index }) => {
			const at = index === null ? position : (index[position] ?? -1);
			return at >= 0 && dead[at] === 1;
		});
	const kept = Array.from({ length: size }, (_, position) => position).filter(
		(position) => !isDead(position),
	);
	return kept.length === size ? undefined : kept;
}

function cut<T extends Value>(value: T, axis: number, kept: readonly number[]): T {
	const inner = elementCount(value.dims.slice(axis + 1));
	const size = value.dims[axis] ?? 0;
	const outer = elementCount(value.dims.slice(0, axis));
	const data: number[] = [];
	for (let block = 0; block < outer; block++)
		for (const position of kept)
			for (let at = 0; at < inner; at++) data.push(value.data[(block * size + position) * inner + at] ?? NaN);
	return { ...value, dims: value.dims.map((dim, at) => (at === axis ? kept.length : dim)), data };
}

function zeroed(value: Fed, axis: number, kept: readonly number[], zero: (position: number) => number): Fed {
	const inner = elementCount(value.dims.slice(axis + 1));
	const size = value.dims[axis] ?? 0;
	const keeps = new Set(kept);
	const data = value.data.map((number, at) => {
		const position = Math.floor(at / inner) % size;
		return keeps.has(position) ? number : zero(at);
	});
	return { ...value, data };
}

/** The largest difference relative to the largest value; infinite where shapes or types differ. */
export function distance(left: Value | undefined, right: Value | undefined): number {
	if (left === undefined || right === undefined) return left === right ? 0 : Infinity;
	if (left.type !== right.type || left.dims.join() !== right.dims.join()) return Infinity;
	let [worst, scale] = [0, 0];
	left.data.forEach((value, at) => {
		const other = right.data[at] ?? NaN;
		if (Object.is(value, other)) return;
		if (Number.isNaN(value) || Number.isNaN(other)) worst = Infinity;
		worst = Math.max(worst, Math.abs(value - other));
		scale = Math.max(scale, Math.abs(value), Math.abs(other));
	});
	return worst === 0 ? 0 : worst / Math.max(scale, 1e-3);
}

const farthest = (left: readonly (Value | undefined)[], right: readonly (Value | undefined)[]): number =>
	Math.max(0, ...left.map((value, slot) => distance(value, right[slot])));

/** Float32 kernels sum in another order when an axis is shorter. */
export const tolerance = 2e-5;

/** Removes coordinates of one letter and says which equalities hold. */
export class Removing {
	private readonly dead: Uint8Array;
	private readonly trial: Trial;
	private readonly row: Row;
	private readonly letter: number;

	/** `draw` tells one set of coordinates from another. */
	constructor(trial: Trial, letter: number, draw = 0) {
		this.trial = trial;
		this.row = present(trial.row, 'row');
		this.letter = letter;
		const needed = (this.row.selected ?? []).filter((one) => one.letter === letter);
		this.dead = deadSet(this.row.letters[letter]?.size ?? 0, generator(11 + letter + 97 * draw), draw);
		needed.flatMap(({ coordinates }) => coordinates).forEach((at) => (this.dead[at] = 0));
	}

	async finding(): Promise<Finding> {
		const letter = present(this.row.letters[this.letter], 'letter');
		const named = { letter: letter.name, role: letter.role, slots: this.slots() };
		const small = await this.small();
		if (typeof small === 'string')
			return { ...named, refused: small, carried: false, idle: false, zeroed: [], distance: Infinity };
		const carried = farthest(small, this.cutOutputs(this.trial.full));
		const idle = farthest(small, this.trial.full);
		const zero: number[] = [];
		const distances = [carried];
		const free = letter.role === 'carried' || letter.role === 'produced';
		for (const slot of free ? [] : named.slots) {
			const apart = await this.zeroing(slot, small);
			distances.push(apart);
			if (apart <= tolerance) zero.push(slot);
		}
		return {
			...named,
			carried: carried <= tolerance,
			idle: idle <= tolerance,
			zeroed: zero,
			distance: Math.min(...distances),
		};
	}

	private terms(side: Side, slot?: number): Term[] {
		return this.row.terms.filter(
			(term) =>
				term.side === side &&
				(slot === undefined || term.slot === slot) &&
				term.parts.some((part) => part.letter === this.letter),
		);
	}

	/** Inputs that the letter lies on and that can be masked. */
	private slots(): number[] {
		const all = new Set(this.terms('in').map((term) => term.slot));
		return [...all].filter((slot) => this.trial.operator.zeroPoints?.[slot] !== null);
	}

	private kept(side: Side, slot: number, axis: number): number[] | undefined {
		const term = this.terms(side, slot).find((one) => one.axis === axis);
		const operand = side === 'in' ? this.trial.call.inputs[slot] : this.trial.full[slot];
		return term && operand && keptAlong(term, this.letter, operand.dims[axis] ?? 0, this.dead);
	}

	private cutValue<T extends Value>(side: Side, slot: number, value: T): T {
		return value.dims.reduce((now, _, axis) => {
			const kept = this.kept(side, slot, axis);
			return kept === undefined ? now : cut(now, axis, kept);
		}, value);
	}

	private cutOutputs(values: readonly (Value | undefined)[]): (Value | undefined)[] {
		return values.map((value, slot) => value && this.cutValue('out', slot, value));
	}

	private async small(): Promise<(Value | undefined)[] | string> {
		const { call, operator, view } = this.trial;
		const resized = operator.resize?.(view, this.removal()) ?? {};
		if (resized.refused !== undefined) return `resize: ${resized.refused}`;
		const inputs = call.inputs.map((input, slot) => input && this.cutValue('in', slot, input));
		for (const [slot, made] of resizedInputs(call, resized)) inputs[slot] = made;
		const attributes = new Map<string, Attribute>(call.attributes);
		for (const [name, value] of Object.entries(resized.attributes ?? {})) {
			if (value === undefined) attributes.delete(name);
			else attributes.set(name, value);
		}
		try {
			const outputs = await run({ ...call, inputs, attributes });
			const [first] = outputs;
			if (resized.gather !== undefined && first !== undefined)
				outputs[0] = cut(first, resized.gather.axis, resized.gather.indices);
			return outputs;
		} catch (problem) {
			return (problem as Error).message.split('\n')[0] ?? '';
		}
	}

	private removal(): Removal {
		const at = (name: string): number => this.row.letters.findIndex((letter) => letter.name === name);
		return {
			row: this.row,
			kept: (side, slot, axis) => {
				const kept = this.kept(side, slot, axis);
				return kept && Int32Array.from(kept);
			},
			dead: (name) => (at(name) === this.letter ? this.dead : undefined),
			count: (name) =>
				at(name) === this.letter
					? this.dead.filter((gone) => gone === 0).length
					: (this.row.letters[at(name)]?.size ?? 1),
		};
	}

	private async zeroing(slot: number, small: readonly (Value | undefined)[]): Promise<number> {
		const { call, operator } = this.trial;
		const input = present(call.inputs[slot], `input ${slot}`);
		// On an operand that has the letter on two axes (a recurrence matrix), the axis that is the letter alone is the one read.
		const own = this.terms('in', slot);
		const terms = own.length > 1 ? own.filter((term) => term.parts.length === 1) : own;
		const point = call.inputs[operator.zeroPoints?.[slot] ?? -1];
		const zero = (at: number): number => zeroPointAt(point, input, at);
		const value = terms.reduce((now, { axis }) => {
			const kept = this.kept('in', slot, axis);
			return kept === undefined ? now : zeroed(now, axis, kept, zero);
		}, input);
		try {
			const outputs = await run({
				...call,
				inputs: call.inputs.map((one, at) => (at === slot ? value : one)),
			});
			return farthest(small, this.cutOutputs(outputs));
		} catch {
			return Infinity;
		}
	}
}

/** The number that stands for zero at an element: 0, or the zero point, which may differ along the last or the first axis. */
function zeroPointAt(point: Value | undefined, value: Value, at: number): number {
	if (point === undefined) return 0;
	if (point.data.length === 1) return point.data[0] ?? 0;
	const last = value.dims.at(-1) ?? 1;
	if (point.data.length === last) return point.data[at % last] ?? 0;
	return point.data[Math.floor(at / (value.data.length / point.data.length))] ?? 0;
}

function resizedInputs(call: Call, resized: Resized): [number, Fed][] {
	return [...(resized.inputs ?? [])].map(([slot, { pieces, dims = [pieces.length] }]) => {
		const old = call.inputs[slot];
		const data = pieces.map((piece) => (typeof piece === 'number' ? piece : (old?.data[piece.piece] ?? NaN)));
		return [slot, { type: old?.type ?? 7, dims, data, constant: true }];
	});
}
