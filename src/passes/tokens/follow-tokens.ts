/** Follows the positions of a sequence from one value on: where they go, what they meet, and what mixes them. */
import { Fault } from '../../diagnostic.ts';
import { fusedAttentions } from '../../ir/anatomy/attention.ts';
import { operandOf, type Net, type NetNode, type NetTensor } from '../../ir/axes/net.ts';
import { type Role, type Term } from '../../ir/axes/row.ts';
import { FLOAT } from '../../ir/graph/dtype.ts';
import { nodeLabel } from '../../ir/graph/graph.ts';
import { tokensStay } from '../../messages/tokens.ts';
import { formOf } from '../attention/plain-attention.ts';
import { BatchRows, labelsBy, lettersOf, type BatchAxis, type Labels } from './token-labels.ts';

/** An operand at full length that meets tokens on these axes: it is cut with the same choice. */
export type Side = {
	readonly node: NetNode;
	readonly slot: number;
	readonly axes: readonly number[];
	/** Where rows of the batch lie in it; absent where all share it. */
	readonly own?: BatchAxis;
	/** Where they lie in the output, when all rows share the operand; absent for a batch of one. */
	readonly shared?: BatchAxis;
};

/** An operand of an operator that mixes tokens along an axis; a masked position must have no part in the result. */
export type Mix = {
	readonly node: NetNode;
	readonly slot: number;
	readonly axis: number;
	/** Where rows of the batch lie in it; absent for a batch of one. */
	readonly batch?: BatchAxis;
	readonly kind: 'softmax' | 'sum' | 'mean' | 'max';
};

/** Where tokens leave, and where they come back if they do. */
export type Ends = {
	readonly start: NetTensor;
	readonly end: NetTensor | undefined;
	/** Whether outputs may have a row for each token that is left; then not even position 0 is sure to stay. */
	readonly open?: boolean;
};

export type Followed = {
	/** Values that have tokens on an axis, the first one included. */
	readonly axes: ReadonlyMap<NetTensor, readonly Labels[]>;
	readonly sides: readonly Side[];
	readonly mixes: readonly Mix[];
	/** Nodes whose operand 1 is the sizes of a value with tokens. */
	readonly vectors: readonly NetNode[];
	/** Nodes that read the sizes of a value with tokens. */
	readonly shapes: readonly NetNode[];
};

/**
 * From `start`, of sizes [batch, tokens, features], to `end`, which has them too and has its full length again for its readers;
 * without it, to where tokens are summed up. Throws `Fault` with the operator or output that tokens cannot pass.
 */
export function followTokens(net: Net, ends: Ends): Followed {
	return new Following(net, ends).run(net);
}

/** Operators that may mix tokens, and the role that their row gives the axis then. */
const mixing = new Map<string, { readonly kind: Mix['kind']; readonly role: Role }>([
	['Softmax', { kind: 'softmax', role: 'competing' }],
	['MatMul', { kind: 'sum', role: 'contracted' }],
	['ReduceSum', { kind: 'sum', role: 'contracted' }],
	['ReduceMean', { kind: 'mean', role: 'statistic' }],
	['ReduceMax', { kind: 'max', role: 'pinned' }],
]);
/** Their operand 1 says how long the output's axes are. */
const sized: ReadonlySet<string> = new Set(['Reshape', 'Expand']);

/** The element type of a value that a node makes. */
export function typeOf({ producer, name }: NetTensor): number {
	const slot = producer?.node.outputs.indexOf(name) ?? -1;
	return producer?.view.outputs[slot]?.type ?? FLOAT;
}

/** Whether an axis is the tokens in order, nothing else. */
export function isWhole(labels: Labels, count: number): boolean {
	return labels?.length === count && labels.every((token, at) => token === at);
}

class Following {
	private readonly axes = new Map<NetTensor, readonly Labels[]>();
	private readonly sides: Side[] = [];
	private readonly mixes: Mix[] = [];
	private readonly vectors: NetNode[] = [];
	private readonly shapes: NetNode[] = [];
	private readonly start: NetTensor;
	private readonly end: NetTensor | undefined;
	private readonly count: number;

	private readonly batch: BatchRows;

	private readonly open: boolean;

	constructor(net: Net, { start, end, open = false }: Ends) {
		this.open = open;
		this.batch = new BatchRows(net, start);
		this.start = start;
		this.end = end;
		this.count = start.sizes[1] ?? 0;
		this.axes.set(start, [undefined, Int32Array.from({ length: this.count }, (_, at) => at), undefined]);
	}

	run(net: Net): Followed {
		for (const node of net.nodes)
			if (node.inputs.some((input) => this.tokensOf(input) !== undefined)) this.visit(node);
		if (this.end !== undefined && !this.axes.has(this.end)) refuse(`'${this.end.name}' has none of them`);
		for (const tensor of this.axes.keys()) this.checkEnd(tensor);
		const { axes, sides, mixes, vectors, shapes } = this;
		return { axes, sides, mixes, vectors, shapes };
	}

	private tokensOf(tensor: NetTensor | undefined): readonly Labels[] | undefined {
		return tensor === undefined || tensor === this.end ? undefined : this.axes.get(tensor);
	}

	private checkEnd(tensor: NetTensor): void {
		if (tensor === this.start || tensor === this.end) return;
		if (tensor.io.includes('output') && !this.open)
			refuse(`output '${tensor.name}' has a row for every token`);
		if (tensor.captured) refuse(`'${tensor.name}' is read inside a body`);
	}

	private visit(node: NetNode): void {
		if (node.readsShape) {
			if (node.node.op !== 'Shape') refuse(`${nodeLabel(node.node)} counts all elements`);
			this.shapes.push(node);
			return;
		}
		if (node.row === undefined) refuse(node.why);
		const letters = lettersOf(
			node,
			(tensor) => this.tokensOf(tensor),
			() => mixed(node),
		);
		for (const [letter, labels] of letters) this.checkRole(node, letter, labels);
		this.addSides(node, letters);
		this.carryOn(node, letters);
	}

	private checkRole(node: NetNode, letter: number, labels: Int32Array): void {
		const { role } = node.row?.letters[letter] ?? { role: 'pinned' };
		const picked = node.row?.selected?.find((one) => one.letter === letter);
		if (picked?.coordinates.some((at) => at !== 0 || this.open))
			refuse(`${nodeLabel(node.node)} picks positions by number`);
		if (role === 'carried') return;
		const known = node.node.domain === '' ? mixing.get(node.node.op) : undefined;
		if (known?.role !== role) return mixed(node);
		if (!isWhole(labels, this.count)) refuse(`${nodeLabel(node.node)} mixes them with the batch`);
		const term = node.row?.terms.find(
			({ side, slot, parts }) => side === 'in' && slot === 0 && parts.some((part) => part.letter === letter),
		);
		const batch = this.batch.at(node, 'in', 0);
		if (term === undefined || (batch === undefined && !this.batch.single))
			return refuse(`${nodeLabel(node.node)} has no axis for the batch`);
		this.mixes.push({ node, slot: 0, axis: term.axis, kind: known.kind, ...(batch && { batch }) });
	}

	/** Operands that have the letter of tokens, and are not made from the start. */
	private addSides(node: NetNode, letters: ReadonlyMap<number, Int32Array>): void {
		const found = new Map<number, number[]>();
		for (const { side, slot, axis, parts } of node.row?.terms ?? []) {
			const input = side === 'in' ? node.inputs[slot] : undefined;
			const part = parts.find(({ letter }) => letters.has(letter));
			if (input === undefined || part === undefined || this.tokensOf(input)?.[axis] !== undefined) continue;
			if (parts.length > 1 || part.index !== null || !isWhole(letters.get(part.letter), this.count))
				refuse(`'${input.name}' has them side by side with something else`);
			found.set(slot, [...(found.get(slot) ?? []), axis]);
		}
		for (const [slot, axes] of found) this.addSide({ node, slot, axes });
	}

	private addSide({ node, slot, axes }: Pick<Side, 'node' | 'slot' | 'axes'>): void {
		const own = this.batch.at(node, 'in', slot);
		const shared = this.batch.at(node, 'out', 0);
		if (own !== undefined && !axes.includes(own.axis)) this.sides.push({ node, slot, axes, own });
		else if (shared !== undefined || this.batch.single)
			this.sides.push({ node, slot, axes, ...(shared && { shared }) });
		else refuse(`'${operandOf(node, 'in', slot)?.name ?? ''}' has no axis for the batch`);
	}

	private carryOn(node: NetNode, letters: ReadonlyMap<number, Int32Array>): void {
		for (const [slot, output] of node.outputs.entries()) {
			if (output === undefined) continue;
			const axes = output.sizes.map((_, axis) =>
				this.labelsAt(node, node.terms.get(`out${slot}.${axis}`), letters),
			);
			if (axes.every((labels) => labels === undefined)) continue;
			this.axes.set(output, axes);
			if (sized.has(node.node.op)) this.vectors.push(node);
		}
	}

	private labelsAt(node: NetNode, term: Term | undefined, letters: ReadonlyMap<number, Int32Array>): Labels {
		const parts = term?.parts.filter(({ letter }) => letters.has(letter)) ?? [];
		const [part] = parts;
		if (part === undefined) return undefined;
		const known = letters.get(part.letter);
		const labels = labelsBy(part, known);
		if (!this.open && labels?.every((token) => token === 0)) return undefined;
		if (parts.length > 1 || !isEven(labels, this.count))
			refuse(`${nodeLabel(node.node)} picks positions by number`);
		return labels;
	}
}

/** Every token as often as every other. */
function isEven(labels: Labels, count: number): boolean {
	const times = new Int32Array(count);
	for (const token of labels ?? []) if (token >= 0) times[token] = (times[token] ?? 0) + 1;
	return times.every((time) => time === times[0]) && labels?.length === count * (times[0] ?? 0);
}

function mixed(node: NetNode): never {
	const closed = fusedAttentions.has(node.node.op) ? formOf(node) : undefined;
	const why = typeof closed === 'string' ? ` and cannot become plain operators: ${closed}` : '';
	return refuse(`${nodeLabel(node.node)} mixes them${why}`);
}

function refuse(why: string): never {
	throw new Fault(tokensStay({ why }));
}
