/** The grammar of transforms: a verb, targets, and items, which are amounts and clauses. It knows no verb and no target. */
import * as t from './tokens.ts';
import { type GrammarOptions, inner, type Rule, TermParser } from './grammar-terms.ts';

export class ClauseParser extends TermParser {
	readonly place: Rule;
	readonly places: Rule;
	readonly where: Rule;
	readonly named: Rule;
	readonly counted: Rule;
	readonly keep: Rule;
	readonly when: Rule;
	readonly fit: Rule;
	readonly measure: Rule;
	readonly measures: Rule;
	readonly goals: Rule;
	readonly consent: Rule;
	readonly amount: Rule;
	readonly stray: Rule;
	readonly item: Rule;
	readonly phrase: Rule;
	readonly targets: Rule;
	readonly transform: Rule;

	constructor(options: GrammarOptions) {
		super(options);
		this.place = this.RULE('place', () => this.#place(), inner);
		this.places = this.RULE('places', () => this.#places(), inner);
		this.where = this.RULE('where', () => this.#where(), inner);
		this.named = this.RULE('named', () => this.#named(), inner);
		this.counted = this.RULE('counted', () => this.#counted(), inner);
		this.keep = this.RULE('keep', () => this.#keep(), inner);
		this.when = this.RULE('when', () => this.#when(), inner);
		this.fit = this.RULE('fit', () => this.#fit(), inner);
		this.measure = this.RULE('measure', () => this.#measure(), inner);
		this.measures = this.RULE('measures', () => this.#measures(), inner);
		this.goals = this.RULE('goals', () => this.#goals(), inner);
		this.consent = this.RULE('consent', () => this.#consent(), inner);
		this.amount = this.RULE('amount', () => this.SUBRULE(this.positions), inner);
		this.stray = this.RULE('stray', () => this.#stray(), inner);
		this.item = this.RULE('item', () => this.#item());
		this.phrase = this.RULE('phrase', () => this.#phrase(), inner);
		this.targets = this.RULE('targets', () => this.#targets());
		this.transform = this.RULE('transform', () => this.#transform());
	}

	/** The order decides: what begins no other item is a stray. */
	#item(): void {
		this.OR({
			IGNORE_AMBIGUITIES: true,
			DEF: [
				{ ALT: () => this.SUBRULE(this.counted) },
				{ ALT: () => this.SUBRULE(this.keep) },
				{ ALT: () => this.SUBRULE(this.places) },
				{ ALT: () => this.SUBRULE(this.where) },
				{ ALT: () => this.SUBRULE(this.named) },
				{ ALT: () => this.SUBRULE(this.when) },
				{ ALT: () => this.SUBRULE(this.fit) },
				{ ALT: () => this.SUBRULE(this.goals) },
				{ ALT: () => this.SUBRULE(this.consent) },
				{ ALT: () => this.CONSUME(t.clause.globally) },
				{ ALT: () => this.CONSUME(t.clause.auto) },
				{ ALT: () => this.CONSUME(t.Pattern) },
				{ ALT: () => this.SUBRULE(this.amount) },
				{ ALT: () => this.SUBRULE(this.stray) },
			],
		});
	}

	#counted(): void {
		this.OR(
			[t.clause.lowest, t.clause.rank, t.clause.energy, t.clause.ratio, t.clause.align, t.clause.min].map(
				(word) => ({
					ALT: () => this.CONSUME(word, { LABEL: 'word' }),
				}),
			),
		);
		this.SUBRULE(this.number);
	}

	#named(): void {
		this.OR(
			[t.clause.by, t.clause.only, t.clause.with, t.clause.without, t.clause.at].map((word) => ({
				ALT: () => this.CONSUME(word, { LABEL: 'word' }),
			})),
		);
		this.OR1([{ ALT: () => this.CONSUME(t.Word) }, { ALT: () => this.CONSUME(t.Parameter) }]);
	}

	#places(): void {
		this.OR(
			[t.clause.in, t.clause.except, t.clause.across, t.clause.after].map((word) => ({
				ALT: () => this.CONSUME(word, { LABEL: 'word' }),
			})),
		);
		this.SUBRULE(this.place);
		this.MANY(() => {
			this.CONSUME(t.Comma);
			this.SUBRULE1(this.place);
		});
	}

	#place(): void {
		this.OR([
			{ ALT: () => this.SUBRULE(this.text) },
			{
				ALT: () => {
					this.AT_LEAST_ONE(() => this.CONSUME(t.Word));
					this.OPTION(() => this.SUBRULE(this.positions));
				},
			},
		]);
	}

	#where(): void {
		this.CONSUME(t.clause.where);
		this.SUBRULE(this.expression);
	}

	#stray(): void {
		this.CONSUME(t.Anything);
		this.MANY(() => this.CONSUME(t.Loose));
	}

	/** Several words name one target, as `embeddings dims`; commas separate targets. */
	#targets(): void {
		this.SUBRULE(this.phrase);
		this.MANY(() => {
			this.CONSUME(t.Comma);
			this.SUBRULE1(this.phrase);
		});
	}

	#phrase(): void {
		this.AT_LEAST_ONE(() => this.CONSUME(t.Word));
	}

	#transform(): void {
		this.CONSUME(t.Name);
		this.OPTION(() => this.SUBRULE(this.targets));
		this.MANY(() => this.SUBRULE(this.item));
	}

	#keep(): void {
		this.CONSUME(t.clause.keep);
		this.OR([
			{ ALT: () => this.SUBRULE(this.positions) },
			{ ALT: () => this.CONSUME(t.Text) },
			{ ALT: () => this.CONSUME(t.Word) },
			{
				ALT: () => {
					this.CONSUME(t.clause.seen);
					this.SUBRULE(this.number);
					this.CONSUME(t.clause.times);
					this.CONSUME(t.clause.in);
					this.SUBRULE(this.text);
				},
			},
		]);
	}

	#when(): void {
		this.CONSUME(t.clause.when);
		this.SUBRULE(this.expression);
	}

	#fit(): void {
		this.CONSUME(t.clause.fit);
		this.CONSUME(t.clause.from);
		this.SUBRULE(this.text);
		this.OPTION(() => {
			this.CONSUME(t.clause.take);
			this.SUBRULE(this.number);
		});
	}

	#measure(): void {
		this.AT_LEAST_ONE(() => this.CONSUME(t.Word));
		this.OR([{ ALT: () => this.CONSUME(t.Comparison) }, { ALT: () => this.CONSUME(t.Equal) }]);
		this.SUBRULE(this.bound);
	}

	#measures(): void {
		this.SUBRULE(this.measure);
		this.MANY(() => {
			this.CONSUME(t.operatorWord.and);
			this.SUBRULE1(this.measure);
		});
	}

	#goals(): void {
		this.OR([{ ALT: () => this.CONSUME(t.clause.until) }, { ALT: () => this.CONSUME(t.clause.while) }]);
		this.SUBRULE(this.measures);
	}

	#consent(): void {
		this.CONSUME(t.clause.may);
		this.CONSUME(t.Word);
		this.SUBRULE(this.text);
		this.MANY(() => {
			this.CONSUME(t.Comma);
			this.SUBRULE1(this.text);
		});
	}
}
