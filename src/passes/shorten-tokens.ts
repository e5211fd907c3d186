/** The rewrite of token pruning: the chosen tokens are gathered once, and so is everything that meets them. */
import { Fault } from '../diagnostic.ts';
import { type NetNode, type NetTensor } from '../ir/axes/net.ts';
import { intAttribute } from '../ir/axes/view.ts';
import { nodeLabel, type Model, type Node, type ValueName } from '../ir/graph/graph.ts';
import { type Edit } from '../ir/graph/patch.ts';
import { tokensStay } from '../messages/tokens.ts';
import { drawScores, type Scored } from './choose-tokens.ts';
import { Drawing } from './draw.ts';
import { isWhole, type Ends, type Followed, type Side } from './follow-tokens.ts';
import { picked } from './lay-tokens.ts';
import { type Labels } from './token-labels.ts';
import { type TokenStage } from './token-stage.ts';

export type Shortened = {
	readonly edits: readonly Edit[];
	/** The constant that says how many stay. */
	readonly amount: ValueName;
};

export function shortenTokens(model: Model, stage: TokenStage, ends: Ends, followed: Followed): Shortened {
	return new Shortening(model, stage, ends, followed).run();
}

class Shortening {
	private readonly draw: Drawing;
	private readonly scored: Scored;
	/** [batch, kept], ascending along the tokens. */
	private readonly chosen: ValueName;
	private readonly nodes = new Map<number, Node>();
	private readonly cut = new Map<string, ValueName>();
	private readonly start: NetTensor;
	private readonly end: NetTensor | undefined;
	private readonly followed: Followed;

	constructor(model: Model, stage: TokenStage, { start, end }: Ends, followed: Followed) {
		this.draw = new Drawing(model);
		this.start = start;
		this.end = end;
		this.followed = followed;
		const scored = drawScores(this.draw, stage);
		const { scores, kept } = scored;
		const [, best = ''] = this.draw.outputs('TopK', [scores, kept], { axis: 1 }, 2);
		const [sorted = ''] = this.draw.outputs('TopK', [best, kept], { axis: 1, largest: 0 }, 2);
		this.chosen = sorted;
		// Said by a size, a number that depends on data can be followed like one that does not.
		this.scored = { ...scored, kept: this.draw.size(sorted, 1) };
	}

	run(): Shortened {
		const batch = { axis: 0, repeat: 1 };
		const short = picked(this.draw, this.start.name, this.chosen, { rank: 3, axis: 1, batch });
		for (const node of this.start.consumers)
			if (!node.readsShape)
				node.inputs.forEach((input, slot) => {
					if (input === this.start) this.feed(node, slot, short);
				});
		for (const side of this.followed.sides) this.feed(side.node, side.slot, this.sideOf(side));
		for (const node of this.followed.shapes) if (node.inputs[0] !== this.start) this.restoreSizes(node);
		for (const node of this.followed.vectors) this.feed(node, 1, this.sizesOf(node));
		if (this.end !== undefined) this.restore(this.end);
		const changed = [...this.nodes.values()].map((node): Edit => ({ kind: 'node', node }));
		return { edits: [...this.draw.edits, ...changed], amount: this.scored.amount };
	}

	/** Rows of the end go back to their places among those of the start. */
	private restore(end: NetTensor): void {
		if (end.producer === undefined) return;
		const short = this.renamed(end.producer, end.name);
		const places = this.draw.op('Expand', [
			this.draw.unsqueeze(this.chosen, [2]),
			this.draw.op('Shape', [short]),
		]);
		this.draw.outputs('ScatterElements', [this.start.name, places, short], { axis: 1 }, 1, [end.name]);
	}

	private feed(node: NetNode, slot: number, name: ValueName): void {
		const now = this.nodes.get(node.node.id) ?? node.node;
		this.nodes.set(node.node.id, {
			...now,
			inputs: now.inputs.map((input, at) => (at === slot ? name : input)),
		});
	}

	private sideOf({ node, slot, axes, own, shared }: Side): ValueName {
		const { name = '', sizes = [] } = node.inputs[slot] ?? {};
		const rank = own === undefined ? (node.outputs[0]?.sizes.length ?? sizes.length) : sizes.length;
		const batch = own ?? shared;
		const key = JSON.stringify([name, rank, axes, own, shared]);
		const known = this.cut.get(key);
		if (known !== undefined) return known;
		const whole = own === undefined ? this.withBatch(name, rank, shared) : name;
		const shift = batch === undefined ? 0 : rank - sizes.length;
		const result = axes.reduce(
			(value, axis) => picked(this.draw, value, this.chosen, { rank, axis: axis + shift, batch }),
			whole,
		);
		this.cut.set(key, result);
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

	private renamed(node: NetNode, name: ValueName): ValueName {
		const raw = this.draw.name(`${name}_short`);
		const now = this.nodes.get(node.node.id) ?? node.node;
		const outputs = now.outputs.map((output) => (output === name ? raw : output));
		this.nodes.set(node.node.id, { ...now, outputs });
		return raw;
	}

	private fullSize(size: ValueName, labels: Labels): ValueName {
		if (labels === undefined) return size;
		if (isWhole(labels, this.start.sizes[1] ?? 0)) return this.scored.length;
		const others = this.draw.op('Div', [size, this.scored.kept]);
		return this.draw.op('Mul', [others, this.scored.length]);
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
			if (isWhole(labels, count)) return this.scored.kept;
			throw new Fault(tokensStay({ why: `${nodeLabel(node.node)} needs two sizes that are not known` }));
		});
		return this.draw.vector(...pieces);
	}

	private element(vector: ValueName, at: number): ValueName {
		return this.draw.op('Gather', [vector, this.draw.ints([at])], { axis: 0 });
	}
}
