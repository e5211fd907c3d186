/**
 * Rows in einsum notation with einops groups:
 *
 *     '... m k, ... k n -> ... m n'        MatMul: k contracted, the rest carried, leading axes broadcast
 *     'b (g i) !x, (g o) i !k -> b (g o) !y'   ( ) a composite axis, ! pinned
 *     '... c, c, [c] -> ... c'             [ ] an optional operand
 *     'i (h k)+(h k)+(h v)'                + an axis made of stretches
 *     'n, _ -> n'                          _ an operand or axis that nothing is known of
 */
import { elementCount } from '../graph/graph.ts';
import { RowBuilder, type Part, type Role, type Row, type Unrelated } from './row.ts';
import { type NodeView, type Sizes } from './view.ts';

type Token = { readonly stretches: readonly (readonly string[])[] } | 'ellipsis' | 'unrelated';
type Operand = { readonly optional: boolean; readonly tokens: readonly Token[] };
type Notation = {
	readonly inputs: readonly Operand[];
	readonly outputs: readonly Operand[];
	readonly pinned: ReadonlySet<string>;
};

/** What a notation cannot say by itself: sizes of letters that stand only in composites, and roles other than the plain ones. */
export type Hints = {
	readonly sizes?: Readonly<Record<string, number>>;
	readonly roles?: Readonly<Record<string, Role>>;
};

const parsed = new Map<string, Notation>();

/** Parses a notation; a malformed one is a bug of the table and shows in its law test. */
export function parseNotation(text: string): Notation {
	const known = parsed.get(text);
	if (known !== undefined) return known;
	const pinned = new Set<string>();
	const [inputs = '', outputs = ''] = text.split('->');
	const side = (part: string): Operand[] =>
		part.split(',').map((operand) => parseOperand(operand.trim(), pinned));
	const notation = { inputs: side(inputs), outputs: side(outputs), pinned };
	parsed.set(text, notation);
	return notation;
}

function parseOperand(text: string, pinned: Set<string>): Operand {
	const optional = text.startsWith('[');
	const body = optional ? text.slice(1, -1) : text;
	const words = body.match(/\.\.\.|(?:\([^)]*\)|[!\w]+)(?:\+(?:\([^)]*\)|[!\w]+))*/g) ?? [];
	return { optional, tokens: words.map((word) => parseToken(word, pinned)) };
}

function parseToken(word: string, pinned: Set<string>): Token {
	if (word === '...') return 'ellipsis';
	if (word === '_') return 'unrelated';
	const stretches = word.split('+').map((stretch) =>
		stretch
			.replace(/[()]/g, ' ')
			.trim()
			.split(/\s+/)
			.map((name) => {
				if (name.startsWith('!')) pinned.add(name.slice(1));
				return name.replace('!', '');
			}),
	);
	return { stretches };
}

type Axis = {
	readonly slot: number;
	readonly axis: number;
	readonly token: Token;
	readonly size: number | undefined;
};
type Bound = {
	readonly inputs: readonly Axis[];
	readonly outputs: readonly Axis[];
	readonly sizes: Map<string, number>;
	readonly rank: number;
};

/** Ellipsis axes are letters named by their distance from the end of the ellipsis, so that broadcasting lines up. */
const leading = (distance: number): string => `~${distance}`;

function spread(
	operands: readonly Operand[],
	sizesOf: (slot: number) => Sizes | undefined,
	rank?: number,
): Axis[] | string {
	const axes: Axis[] = [];
	for (const [slot, operand] of operands.entries()) {
		const sizes = sizesOf(slot);
		if (sizes === undefined && rank === undefined) continue;
		if (operand.tokens.length === 1 && operand.tokens[0] === 'unrelated') continue;
		const plain = operand.tokens.filter((token) => token !== 'ellipsis').length;
		const extra = sizes === undefined ? (rank ?? 0) : sizes.length - plain;
		const full = operand.tokens.flatMap((token): Token[] =>
			token === 'ellipsis'
				? Array.from({ length: extra }, (_, index) => ({ stretches: [[leading(extra - index)]] }))
				: [token],
		);
		if (sizes !== undefined && full.length !== sizes.length)
			return `operand ${slot} has rank ${sizes.length}`;
		full.forEach((token, axis) => axes.push({ slot, axis, token, size: sizes?.[axis] }));
	}
	return axes;
}

function single(token: Token): string | undefined {
	if (typeof token === 'string' || token.stretches.length !== 1) return undefined;
	return token.stretches[0]?.length === 1 ? token.stretches[0][0] : undefined;
}

/** Sizes of letters: from axes that are one letter, then by division from composites with one unknown. */
function solve(axes: readonly Axis[], hints: Hints): Map<string, number> {
	const sizes = new Map(Object.entries(hints.sizes ?? {}));
	for (const { token, size } of axes) {
		const name = single(token);
		if (name === undefined || size === undefined) continue;
		const before = sizes.get(name);
		if (before === undefined || (before === 1 && hints.sizes?.[name] === undefined)) sizes.set(name, size);
	}
	for (const { token, size } of axes) {
		if (typeof token === 'string' || token.stretches.length !== 1 || size === undefined) continue;
		const unknown = (token.stretches[0] ?? []).filter((name) => !sizes.has(name));
		const product = elementCount((token.stretches[0] ?? []).map((name) => sizes.get(name) ?? 1));
		const [name] = unknown;
		if (unknown.length === 1 && name !== undefined && size % product === 0) sizes.set(name, size / product);
	}
	return sizes;
}

function bindInputs(notation: Notation, view: NodeView, hints: Hints): Bound | string {
	const inputs = spread(notation.inputs, (slot) => view.inputs[slot]?.sizes);
	if (typeof inputs === 'string') return inputs;
	const names = inputs.flatMap(({ token }) => single(token) ?? []);
	const rank = Math.max(
		0,
		...names.filter((name) => name.startsWith('~')).map((name) => Number(name.slice(1))),
	);
	return { inputs, outputs: [], sizes: solve(inputs, hints), rank };
}

/** Sizes of the outputs that the notation tells from the inputs; undefined where a letter's size is not among them. */
export function notedSizes(text: string, view: NodeView, hints: Hints = {}): (number[] | undefined)[] {
	const notation = parseNotation(text);
	const bound = bindInputs(notation, view, hints);
	if (typeof bound === 'string') return [];
	return notation.outputs.map((operand) => {
		const axes = spread([operand], () => undefined, bound.rank);
		if (typeof axes === 'string' || operand.tokens[0] === 'unrelated') return undefined;
		const sizes = axes.map(({ token }) => tokenSize(token, bound.sizes));
		return sizes.every((size) => size !== undefined) ? sizes : undefined;
	});
}

function tokenSize(token: Token, sizes: ReadonlyMap<string, number>): number | undefined {
	if (typeof token === 'string') return undefined;
	let total = 0;
	for (const stretch of token.stretches) {
		if (stretch.some((name) => !sizes.has(name))) return undefined;
		total += elementCount(stretch.map((name) => sizes.get(name) ?? 1));
	}
	return total;
}

/** The row of a node whose operand sizes are known, or why it does not fit the notation. */
export function notedRow(text: string, view: NodeView, hints: Hints = {}): Row | Unrelated {
	const notation = parseNotation(text);
	const inputs = spread(notation.inputs, (slot) => view.inputs[slot]?.sizes);
	const outputs = spread(notation.outputs, (slot) => view.outputs[slot]?.sizes);
	if (typeof inputs === 'string') return { unrelated: inputs };
	if (typeof outputs === 'string') return { unrelated: `output: ${outputs}` };
	return new RowWriter(notation, solve([...inputs, ...outputs], hints), hints).write(inputs, outputs);
}

class RowWriter {
	private readonly builder = new RowBuilder();
	private readonly letters = new Map<string, number>();
	private readonly read = new Set<string>();
	private readonly written = new Set<string>();
	private readonly notation: Notation;
	private readonly sizes: ReadonlyMap<string, number>;
	private readonly hints: Hints;

	constructor(notation: Notation, sizes: ReadonlyMap<string, number>, hints: Hints) {
		this.notation = notation;
		this.sizes = sizes;
		this.hints = hints;
	}

	write(inputs: readonly Axis[], outputs: readonly Axis[]): Row | Unrelated {
		inputs.forEach(({ token, size }) => {
			for (const name of namesOf(token)) if (!this.isBroadcast(name, size)) this.read.add(name);
		});
		outputs.forEach(({ token }) => {
			namesOf(token).forEach((name) => this.written.add(name));
		});
		for (const [side, axes] of [
			['in', inputs],
			['out', outputs],
		] as const) {
			for (const axis of axes) {
				const problem = this.axis(side, axis);
				if (problem !== undefined) return { unrelated: problem };
			}
		}
		return this.builder.build();
	}

	/** An input axis of size 1 is no source of a longer letter: Expand makes the positions. */
	private isBroadcast(name: string, size: number | undefined): boolean {
		return size === 1 && this.sizes.get(name) !== 1;
	}

	private axis(side: 'in' | 'out', { slot, axis, token, size }: Axis): string | undefined {
		if (typeof token === 'string' || size === undefined) return undefined;
		const parts = this.parts(token.stretches, size);
		if (typeof parts === 'string') return parts;
		if (parts.length === 0) return undefined;
		if (side === 'in') this.builder.input(slot, axis, ...parts);
		else this.builder.output(slot, axis, ...parts);
		return undefined;
	}

	/** The parts of an axis; none for one of size 1 that is broadcast against a longer letter. */
	private parts(stretches: readonly (readonly string[])[], size: number): Part[] | string {
		const total = stretches.reduce(
			(sum, names) => sum + elementCount(names.map((name) => this.sizes.get(name) ?? 1)),
			0,
		);
		if (total !== size)
			return size === 1 ? [] : `an axis of ${size} is not ${describe(stretches)} (${total})`;
		const [first = []] = stretches;
		if (stretches.length === 1 && first.length === 1)
			return [{ letter: this.letter(first[0] ?? ''), index: null }];
		const maps = new Map<string, Int32Array>();
		let offset = 0;
		for (const names of stretches) offset += this.stretch(names, size, offset, maps);
		return [...maps]
			.filter(([name]) => (this.sizes.get(name) ?? 1) > 1)
			.map(([name, index]) => ({
				letter: this.letter(name),
				index: this.sizes.get(name) === size && stretches.length === 1 ? null : index,
			}));
	}

	private stretch(
		names: readonly string[],
		size: number,
		offset: number,
		maps: Map<string, Int32Array>,
	): number {
		const sizes = names.map((name) => this.sizes.get(name) ?? 1);
		const total = elementCount(sizes);
		let stride = total;
		for (const [at, name] of names.entries()) {
			const extent = sizes[at] ?? 1;
			stride /= extent;
			const map = maps.get(name) ?? new Int32Array(size).fill(-1);
			maps.set(name, map);
			for (let position = 0; position < total; position++) {
				map[offset + position] = Math.floor(position / stride) % extent;
			}
		}
		return total;
	}

	private letter(name: string): number {
		const known = this.letters.get(name);
		if (known !== undefined) return known;
		const letter = this.builder.letter(name, this.sizes.get(name) ?? 1, this.role(name));
		this.letters.set(name, letter);
		return letter;
	}

	private role(name: string): Role {
		if (this.notation.pinned.has(name)) return 'pinned';
		const said = this.hints.roles?.[name];
		if (said !== undefined) return said;
		if (!this.written.has(name)) return 'contracted';
		return this.read.has(name) ? 'carried' : 'produced';
	}
}

function namesOf(token: Token): string[] {
	return typeof token === 'string' ? [] : token.stretches.flat();
}

function describe(stretches: readonly (readonly string[])[]): string {
	return stretches.map((names) => `(${names.join(' ')})`).join('+');
}
