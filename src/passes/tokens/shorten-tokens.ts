/** The rewrite of token pruning: the chosen tokens are gathered once, and so is everything that meets them. */
import { type Net, type NetTensor } from '../../ir/axes/net.ts';
import { BOOL, FLOAT, INT64 } from '../../ir/graph/dtype.ts';
import { type Node, type ValueName } from '../../ir/graph/graph.ts';
import { type Edit } from '../../ir/graph/patch.ts';
import { drawChosen, drawScores, type Scored } from './choose-tokens.ts';
import { Drawing } from '../draw.ts';
import { typeOf, type Ends, type Followed } from './follow-tokens.ts';
import { drawAverages, type Averages } from './join-tokens.ts';
import { laid, picked } from './lay-tokens.ts';
import { Shortening } from './shorten-graph.ts';
import { sizesName, type TokenStage } from './token-stage.ts';

export type Shortened = {
	readonly edits: readonly Edit[];
	/** The constant that says how many stay. */
	readonly amount: ValueName;
};

export function shortenTokens(net: Net, stage: TokenStage, ends: Ends, followed: Followed): Shortened {
	return new Leaving(net, stage, ends, followed).run();
}

class Leaving {
	private readonly draw: Drawing;
	private readonly scored: Scored;
	/** [batch, kept], ascending along the tokens. */
	private readonly chosen: ValueName;
	private readonly graph: Shortening;
	private readonly start: NetTensor;
	private readonly end: NetTensor | undefined;
	private readonly followed: Followed;
	private readonly stage: TokenStage;
	private readonly averages: Averages | undefined;
	/** [batch, tokens]: the position whose row each has a part in; absent where what leaves is gone. */
	private readonly goes: ValueName | undefined;
	private readonly guards: Edit[] = [];

	constructor(net: Net, stage: TokenStage, { start, end }: Ends, followed: Followed) {
		this.draw = new Drawing(net);
		this.start = start;
		this.end = end;
		this.followed = followed;
		this.stage = stage;
		const scored = drawScores(this.draw, this.guarded(net));
		const { positions: sorted, lowest } = drawChosen(this.draw, scored);
		this.chosen = sorted;
		// Said by a size, a number that depends on data can be followed like one that does not.
		this.scored = { ...scored, kept: this.draw.size(sorted, 1) };
		this.graph = new Shortening(this.draw, start, followed, {
			...{ length: scored.length, kept: this.scored.kept, byRow: true },
			pick: (value, place) => picked(this.draw, value, sorted, place),
		});
		this.goes = this.goesTo(lowest);
		const { joining, length } = this.scored;
		this.averages =
			joining === undefined || this.goes === undefined
				? undefined
				: drawAverages(this.draw, this.chosen, this.goes, length, joining.weights, this.draw.name(sizesName));
	}

	/**
	 * Keys that a merge reads come through a maximum with −∞, and the attention reads them there too. onnxruntime's fusion of attentions
	 * removes the maker of keys whoever else reads it; a maximum stands in the way of the fusion, and no simplification removes it.
	 */
	private guarded(net: Net): TokenStage {
		const { attention } = this.stage;
		const keys = attention?.keys === undefined ? undefined : net.tensors.get(attention.keys);
		if (attention === undefined || keys === undefined || this.stage.metric !== 'keys') return this.stage;
		const type = typeOf(keys);
		const least = this.draw.scalar(-Infinity);
		const guarded = this.draw.op('Max', [keys.name, type === FLOAT ? least : this.draw.cast(least, type)]);
		for (const { node } of keys.consumers)
			if (node.op === 'MatMul') this.guards.push({ kind: 'node', node: reading(node, keys.name, guarded) });
		return { ...this.stage, attention: { ...attention, keys: guarded } };
	}

	/** Tokens that stay go to themselves. */
	private goesTo(lowest: () => ValueName): ValueName | undefined {
		const { joining, length } = this.scored;
		if (joining === undefined) return undefined;
		const positions = this.draw.range(length);
		const stays = this.draw.op('Equal', [
			this.draw.unsqueeze(this.chosen, [2]),
			this.draw.unsqueeze(positions, [0, 1]),
		]);
		const stay = this.draw.cast(this.draw.reduce('ReduceMax', this.draw.cast(stays, INT64), [1]), BOOL);
		const target = joining.target ?? lowest();
		return this.draw.op('Where', [stay, positions, target]);
	}

	/** The rows of the start that stay, or the means that stand for them. */
	private shortened(): ValueName {
		const { draw, averages, start } = this;
		const batch = { axis: 0, repeat: 1 };
		if (averages === undefined) return picked(draw, start.name, this.chosen, { rank: 3, axis: 1, batch });
		const type = typeOf(start);
		const product = draw.op('MatMul', [averages.shares, draw.cast(start.name, FLOAT)]);
		return type === FLOAT ? product : draw.cast(product, type);
	}

	/** Keys that stand for several tokens count as often in every attention behind: log of their number on the scores. */
	private weighKeys(growth: ValueName): void {
		const { draw, followed } = this;
		const logs = draw.op('Log', [growth]);
		for (const { node, slot, axis, batch, kind } of followed.mixes) {
			if (kind !== 'softmax') continue;
			const operand = node.view.inputs[slot];
			const own = laid(draw, logs, operand?.sizes?.length ?? 0, axis, batch);
			const typed = operand?.type === FLOAT ? own : draw.cast(own, operand?.type ?? FLOAT);
			this.graph.feed(node, slot, draw.op('Add', [node.node.inputs[slot] ?? '', typed]));
		}
	}

	run(): Shortened {
		const { draw, graph, stage, averages, end } = this;
		graph.shorten(this.shortened());
		if (averages !== undefined && stage.join === 'alike') this.weighKeys(averages.growth);
		if (end !== undefined) this.restore(end);
		return { edits: [...draw.edits, ...this.guards, ...graph.edits()], amount: this.scored.amount };
	}

	/** Rows of the end go back to their places among those of the start. */
	private restore(end: NetTensor): void {
		if (end.producer === undefined) return;
		const short = this.graph.renamed(end.producer, end.name);
		if (this.goes !== undefined && this.stage.join === 'alike') {
			this.unmerge(short, this.goes, end);
			return;
		}
		const places = this.draw.op('Expand', [
			this.draw.unsqueeze(this.chosen, [2]),
			this.draw.op('Shape', [short]),
		]);
		const scatter = this.draw.opset < 11 ? 'Scatter' : 'ScatterElements';
		this.draw.outputs(scatter, [this.start.name, places, short], { axis: 1 }, 1, [end.name]);
	}

	/** Every token has the row that it has a part in. */
	private unmerge(short: ValueName, goes: ValueName, end: NetTensor): void {
		const { draw } = this;
		const found = draw.op('Equal', [draw.unsqueeze(this.chosen, [2]), draw.unsqueeze(goes, [1])]);
		const places = draw.op('ArgMax', [draw.cast(found, FLOAT)], { axis: 1, keepdims: 0 });
		const rows = picked(draw, short, places, { rank: 3, axis: 1, batch: { axis: 0, repeat: 1 } });
		draw.outputs('Identity', [rows], {}, 1, [end.name]);
	}
}

function reading(node: Node, from: ValueName, to: ValueName): Node {
	return { ...node, inputs: node.inputs.map((name) => (name === from ? to : name)) };
}
