/** What every rewrite does that shortens a sequence: operands that meet tokens are cut along, and sizes keep their meaning. */
import { bug, Fault } from '../../diagnostic.ts';
import { type NetNode, type NetTensor } from '../../ir/axes/net.ts';
import { intAttribute } from '../../ir/axes/view.ts';
import { nodeLabel, type Node, type ValueName } from '../../ir/graph/graph.ts';
import { type Edit } from '../../ir/graph/patch.ts';
import { numbersOf } from '../../ir/graph/tensor.ts';
import { tokensStay } from '../../messages/tokens.ts';
import { type Drawing } from '../draw.ts';
import { isWhole, type Followed, type Side } from './follow-tokens.ts';
import { type BatchAxis, type Labels } from './token-labels.ts';

/** Which positions of an axis stay. */
export type Cut = {
	/** Vectors of one int64: how many there are, and how many stay. */
	readonly length: ValueName;
	readonly kept: ValueName;
	/** An operand at the positions that stay. */
	pick(value: ValueName, place: Place): ValueName;
	/** Whether rows of the batch keep positions of their own. */
	readonly byRow: boolean;
};
export type Place = { readonly rank: number; readonly axis: number; readonly batch: BatchAxis | undefined };

export class Shortening {
	private readonly draw: Drawing;
	private readonly start: NetTensor;
	private readonly followed: Followed;
	private readonly cut: Cut;
	private readonly nodes = new Map<number, Node>();
	private readonly sides = new Map<string, ValueName>();

	constructor(draw: Drawing, start: NetTensor, followed: Followed, cut: Cut) {
		this.draw = draw;
		this.start = start;
		this.followed = followed;
		this.cut = cut;
	}

	/** Readers of the start read `short`; all that meets them follows. */
	shorten(short: ValueName): void {
		for (const node of this.start.consumers)
			if (!node.readsShape)
				node.inputs.forEach((input, slot) => {
					if (input === this.start) this.feed(node, slot, short);
				});
		for (const side of this.followed.sides) this.feed(side.node, side.slot, this.sideOf(side));
		for (const node of this.followed.shapes) if (node.inputs[0] !== this.start) this.restoreSizes(node);
		for (const node of this.followed.vectors) this.feed(node, 1, this.sizesOf(node));
		for (const { producer } of this.followed.axes.keys()) if (producer?.standsIn) this.takePlace(producer);
	}

	/** Nodes that read or make something else now. */
	edits(): Edit[] {
		return [...this.nodes.values()].map((node): Edit => ({ kind: 'node', node }));
	}

	/** An operand of a node is another value from now on. */
	feed(node: NetNode, slot: number, name: ValueName): void {
		const now = this.nodes.get(node.node.id) ?? node.node;
		this.nodes.set(node.node.id, {
			...now,
			inputs: now.inputs.map((input, at) => (at === slot ? name : input)),
		});
	}

	/** A node that stands for a chain of the graph goes into the graph for it: the chain's sizes are those of the full length. */
	private takePlace(node: NetNode): void {
		const order = node.inputs[1]?.constant ?? bug('a node that stands in without an order');
		this.feed(node, 1, this.draw.ints([...numbersOf(order)], order.name));
	}

	private sideOf({ node, slot, axes, own, shared }: Side): ValueName {
		const { name = '', sizes = [] } = node.inputs[slot] ?? {};
		const batchless = own === undefined && this.cut.byRow;
		const rank = batchless ? (node.outputs[0]?.sizes.length ?? sizes.length) : sizes.length;
		const batch = own ?? shared;
		const key = JSON.stringify([name, rank, axes, own, shared]);
		const known = this.sides.get(key);
		if (known !== undefined) return known;
		const whole = batchless ? this.withBatch(name, rank, shared) : name;
		const shift = batchless && batch !== undefined ? rank - sizes.length : 0;
		const result = axes.reduce(
			(value, axis) => this.cut.pick(value, { rank, axis: axis + shift, batch }),
			whole,
		);
		this.sides.set(key, result);
		return result;
	}

	/** A value that all rows share, repeated for each: they keep other positions. */
	private withBatch(value: ValueName, rank: number, shared: Side['shared']): ValueName {
		if (shared === undefined) return value;
		const rows = this.draw.size(this.start.name, 0);
		const all = this.draw.op('Mul', [rows, this.draw.ints([shared.repeat])]);
		const pieces = Array.from({ length: rank }, (_, axis) => (axis === shared.axis ? all : 1));
		return this.draw.op('Expand', [value, this.draw.vector(...pieces)]);
	}

	/** Sizes that the graph computes with keep the meaning they had: the length is still that of the input. */
	private restoreSizes(node: NetNode): void {
		const [input] = node.inputs;
		const labels = (input && this.followed.axes.get(input)) ?? [];
		const start = intAttribute(node.view, 'start', 0);
		const first = start < 0 ? start + labels.length : start;
		const count = node.outputs[0]?.sizes[0] ?? 0;
		const name = node.node.outputs[0] ?? '';
		const raw = this.renamed(node, name);
		const pieces = Array.from({ length: count }, (_, at) => {
			const own = this.draw.op('Gather', [raw, this.draw.ints([at])], { axis: 0 });
			return this.fullSize(own, labels[first + at]);
		});
		this.draw.outputs('Concat', pieces, { axis: 0 }, 1, [name]);
	}

	/** The output of a node under another name, so that something else can take its own. */
	renamed(node: NetNode, name: ValueName): ValueName {
		const raw = this.draw.name(`${name}_short`);
		const now = this.nodes.get(node.node.id) ?? node.node;
		const outputs = now.outputs.map((output) => (output === name ? raw : output));
		this.nodes.set(node.node.id, { ...now, outputs });
		return raw;
	}

	private fullSize(size: ValueName, labels: Labels): ValueName {
		if (labels === undefined) return size;
		if (isWhole(labels, this.start.sizes[1] ?? 0)) return this.cut.length;
		const others = this.draw.op('Div', [size, this.cut.kept]);
		return this.draw.op('Mul', [others, this.cut.length]);
	}

	/** Operand 1 of a Reshape or Expand: 0 and -1 where they say it, else the number that stays. */
	private sizesOf(node: NetNode): ValueName {
		const [input, output] = [node.inputs[0], node.outputs[0]];
		const [from, to] = [input && this.followed.axes.get(input), output && this.followed.axes.get(output)];
		const given = node.view.inputs[1]?.known;
		const count = this.start.sizes[1] ?? 0;
		const literal = (axis: number): number | undefined =>
			given?.fixed[axis] === true ? given.values[axis] : undefined;
		const copies = node.node.op === 'Reshape' && intAttribute(node.view, 'allowzero', 0) === 0;
		let inferred = (to ?? []).some((labels, axis) => labels === undefined && literal(axis) === -1);
		const pieces = (to ?? []).map((labels, axis): number | ValueName => {
			if (labels === undefined) return literal(axis) ?? this.element(node.node.inputs[1] ?? '', axis);
			if (copies && isWhole(labels, count) && isWhole(from?.[axis], count)) return 0;
			if (copies && !inferred) {
				inferred = true;
				return -1;
			}
			if (isWhole(labels, count)) return this.cut.kept;
			throw new Fault(tokensStay({ why: `${nodeLabel(node.node)} needs two sizes that are not known` }));
		});
		return this.draw.vector(...pieces);
	}

	private element(vector: ValueName, at: number): ValueName {
		return this.draw.op('Gather', [vector, this.draw.ints([at])], { axis: 0 });
	}
}
