/** One statement for one technique: amounts and clauses, each checked against what the technique takes. */
import { type Diagnostic, type Span } from '../../diagnostic.ts';
import * as messages from '../../messages/meaning.ts';
import { nearest } from '../../messages/nearest.ts';
import { type Item, type PlaceSyntax, type Word } from '../../parser/syntax.ts';
import { type Numbers } from './numbers.ts';
import { checkPlace, checkPositions, Conditions } from './positions.ts';
import { type Amount, type Place, type Step } from './recipe.ts';
import { type AmountKind, type Clause, type TechniqueWords, type Vocabulary } from './vocabulary.ts';

type Draft = { -readonly [K in keyof Step]?: Step[K] };
const amountKinds: ReadonlySet<string> = new Set(['count', 'keep', 'lowest', 'rank', 'energy', 'set']);
const amountWords: Readonly<Record<AmountKind, string>> = {
	'remove-share': '25%',
	'remove-count': '3',
	'keep-share': 'keep 50%',
	'keep-count': 'keep 8',
	set: '[0, 5]',
	rank: 'rank 64',
	energy: 'energy 95%',
};

/** Collects the clauses of one statement for one technique. */
export class StepDraft {
	private readonly draft: Draft = {};
	private readonly seen = new Set<string>();
	private readonly spans: { amount?: Span; where?: Span; by?: Span; in?: Span } = {};
	private readonly technique: TechniqueWords;
	private readonly vocabulary: Vocabulary;
	private readonly numbers: Numbers;
	private readonly text: (span: Span) => string;
	private readonly verbs: readonly string[];

	constructor(
		technique: TechniqueWords,
		vocabulary: Vocabulary,
		numbers: Numbers,
		text: (span: Span) => string,
		verbs: readonly string[],
	) {
		this.technique = technique;
		this.vocabulary = vocabulary;
		this.numbers = numbers;
		this.text = text;
		this.verbs = verbs;
	}

	add(item: Item): void {
		if (item.kind === 'stray') {
			const { text } = item.word;
			const near = nearest(text, [
				'in',
				'except',
				'where',
				'by',
				'keep',
				'lowest',
				'rank',
				'energy',
				'globally',
				'align',
				'min',
				'only',
			]);
			this.say(
				messages.strayWord({ word: text, isVerb: this.verbs.includes(text), near }, { span: item.word.span }),
			);
			return;
		}
		const slot = amountKinds.has(item.kind) ? 'amount' : item.kind;
		if (this.seen.has(slot))
			this.say(
				messages.twice({ what: slot === 'amount' ? 'the amount' : `\`${slot}\`` }, { span: item.span }),
			);
		this.seen.add(slot);
		if (slot === 'amount') this.amount(item);
		else if (this.allows(item.kind as Clause, item.span)) this.clause(item);
	}

	finish(place: { readonly text: string; readonly span: Span; readonly line: number }): Step {
		const { name, verb, target, bare, example } = this.technique;
		if (!this.seen.has('amount') && !this.seen.has('where') && !bare)
			this.say(messages.noAmount({ technique: `${verb} ${target}`, example }, { span: place.span }));
		return {
			globally: false,
			min: 1,
			in: [],
			except: [],
			...this.draft,
			...place,
			technique: name,
			verb,
			target,
			spans: this.spans,
		};
	}

	private say(diagnostic: Diagnostic): void {
		this.numbers.diagnostics.push(diagnostic);
	}

	private allows(clause: Clause, span: Span): boolean {
		if (this.technique.clauses.includes(clause)) return true;
		const { verb, target, clauses } = this.technique;
		this.say(messages.unsupported({ clause, technique: `${verb} ${target}`, possible: clauses }, { span }));
		return false;
	}

	private amount(item: Item): void {
		const amount = this.amountOf(item);
		if (amount === undefined) return;
		const { verb, target, amounts } = this.technique;
		if (!amounts.includes(amount.kind)) {
			this.say(
				messages.unsupported(
					{
						clause: this.text(item.span),
						technique: `${verb} ${target}`,
						possible: amounts.map((kind) => amountWords[kind]),
					},
					{ span: item.span },
				),
			);
		}
		this.draft.amount = amount;
		this.spans.amount = item.span;
	}

	private amountOf(item: Item): Amount | undefined {
		if (item.kind === 'set')
			return { kind: 'set', ranges: checkPositions(item.positions, this.numbers, this.text) };
		if (item.kind === 'rank') return named('rank', 'rank', this.numbers.whole(item.value, 'rank', 1));
		if (item.kind === 'energy') return named('energy', 'share', this.numbers.share(item.value, 'energy'));
		if (item.kind !== 'count' && item.kind !== 'keep' && item.kind !== 'lowest') return undefined;
		const isShare = this.numbers.read(item.value)?.unit === '%';
		const side = item.kind === 'keep' ? 'keep' : 'remove';
		if (isShare) return named(`${side}-share`, 'share', this.numbers.share(item.value, 'an amount of'));
		return named(`${side}-count`, 'count', this.numbers.whole(item.value, 'an amount of', 0));
	}

	private clause(item: Item): void {
		if (item.kind === 'in' || item.kind === 'except') this.places(item.kind, item.places, item.span);
		else if (item.kind === 'where') this.where(item);
		else if (item.kind === 'by') this.by(item.word);
		else if (item.kind === 'only') this.only(item.word);
		else if (item.kind === 'globally') this.draft.globally = true;
		else if (item.kind === 'align' || item.kind === 'min') {
			const value = this.numbers.whole(item.value, item.kind, item.kind === 'align' ? 1 : 0);
			if (value !== undefined) this.draft[item.kind] = value;
		}
	}

	private places(kind: 'in' | 'except', places: readonly PlaceSyntax[], span: Span): void {
		const checked = places.map((place) => checkPlace(place, this.numbers, this.text));
		this.draft[kind] = checked.filter((place): place is Place => place !== undefined);
		if (kind === 'in') this.spans.in = span;
	}

	private only(word: Word): void {
		if (word.text === 'attention' || word.text === 'ffn') {
			this.draft.only = word.text;
			return;
		}
		const possible = ['only attention', 'only ffn'];
		this.say(
			messages.unsupported(
				{ clause: `only ${word.text}`, technique: this.technique.target, possible },
				{ span: word.span },
			),
		);
	}

	private where(item: Extract<Item, { kind: 'where' }>): void {
		const fields = ['importance', 'layer', 'index', 'size', ...this.technique.metrics];
		const where = new Conditions(this.numbers, fields, this.text).predicate(item.condition);
		if (where !== undefined) this.draft.where = where;
		this.spans.where = item.span;
	}

	private by(word: Word): void {
		const known =
			this.vocabulary.metrics.some(({ name }) => name === word.text) &&
			this.technique.metrics.includes(word.text);
		if (!known)
			this.say(
				messages.unknownMetric(
					{
						metric: word.text,
						near: nearest(word.text, this.technique.metrics),
						metrics: this.technique.metrics,
					},
					{ span: word.span },
				),
			);
		this.draft.by = word.text;
		this.spans.by = word.span;
	}
}

function named(kind: AmountKind, field: string, value: number | undefined): Amount | undefined {
	return value === undefined ? undefined : ({ kind, [field]: value } as unknown as Amount);
}
