"""Words of the embedded task "errands": four topics of everyday talk.

Every word fits after "the" in any sentence of `generated.py`, so that only its meaning tells the
topic. No word is in two topics.
"""

CLASSES = ("cooking", "health", "money", "travel")

COOKING = """
    flour, sugar, butter, yeast, oven, saucepan, frying pan, whisk, rolling pin, cutting board,
    garlic, onions, carrots, potatoes, tomatoes, cucumber, spinach, lettuce, broccoli, mushrooms,
    basil, parsley, cinnamon, ginger, nutmeg, vanilla, paprika, turmeric, cumin, pepper mill,
    olive oil, vinegar, mustard, mayonnaise, ketchup, soy sauce, honey, jam, maple syrup, cocoa,
    chicken breast, minced beef, bacon, sausages, salmon, tuna, shrimp, tofu, lentils, chickpeas,
    rice, noodles, spaghetti, lasagna, risotto, couscous, oatmeal, dumplings, pancakes, waffles,
    omelette, scrambled eggs, cheese, yogurt, cream, milk, sourdough, bread, toast, bagels, soup,
    stew, curry, casserole, gravy, roast, salad, dressing, marinade, barbecue, cake, cookies,
    brownies, muffins, cupcakes, apple pie, pudding, frosting, pastry, doughnuts, blender,
    toaster, microwave, grill, kettle, ladle, spatula, colander, grater, peeler, measuring cup,
    baking tray, apron, recipe, leftovers, dinner, breakfast, dessert, lunch, buffet,
    strawberries, blueberries, lemons, oranges, bananas, avocado, coconut, walnuts, almonds,
    raisins, pizza, hamburger, meatballs, tacos, burrito, sandwich, popcorn, smoothie, lemonade,
    espresso
"""

HEALTH = """
    dentist, doctor, nurse, surgeon, pharmacist, physiotherapist, optician, dermatologist,
    pediatrician, psychiatrist, hospital, clinic, ambulance, emergency room, waiting room,
    prescription, antibiotics, aspirin, painkillers, vitamins, insulin, cough syrup, eye drops,
    ointment, vaccine, flu shot, blood test, blood pressure, cholesterol, heart rate, x-ray,
    ultrasound, biopsy, surgery, operation, anesthetic, stitches, bandage, plaster cast, crutches,
    wheelchair, stethoscope, thermometer, inhaler, hearing aid, contact lenses, braces, dentures,
    filling, wisdom tooth, toothache, headache, migraine, fever, sore throat, cough, runny nose,
    allergy, hay fever, asthma, rash, eczema, acne, blister, bruise, sprained ankle, broken wrist,
    back pain, stiff neck, knee injury, muscle cramp, arthritis, diabetes, anemia, pneumonia,
    bronchitis, measles, chickenpox, influenza, food poisoning, stomach ache, nausea, diarrhea,
    heartburn, ulcer, infection, inflammation, concussion, dizziness, fainting spell, insomnia,
    fatigue, depression, anxiety, panic attack, therapy session, rehab, pregnancy, midwife,
    checkup, physical exam, diagnosis, symptoms, side effects, dosage, pills, tablets, syringe,
    blood donation, kidney stones, gallbladder, appendix, tonsils, thyroid, lungs, liver, spine,
    eardrum, sinuses, immune system, skin cream, mole, swelling, wound, burn on my arm, mammogram
"""

MONEY = """
    mortgage, loan, credit card, debit card, bank account, savings account, overdraft, interest
    rate, down payment, deposit, withdrawal, cash machine, bank teller, checkbook, wire transfer,
    direct debit, standing order, invoice, receipt, refund, rebate, tax return, income tax,
    property tax, accountant, auditor, audit, payroll, salary, paycheck, bonus, pay raise, wages,
    pension, retirement fund, stocks, shares, bonds, dividends, mutual fund, index fund, broker,
    brokerage, portfolio, hedge fund, cryptocurrency, bitcoin, gold bars, inheritance, trust fund,
    will and estate, insurance premium, insurance claim, deductible, life insurance, rent,
    landlord's bill, electricity bill, water bill, phone bill, late fee, fine, penalty charge,
    debt, debt collector, bankruptcy, creditor, lender, borrower, collateral, foreclosure,
    refinancing, installments, lease payment, car payment, student loan, tuition fees, scholarship
    money, grant, sponsorship, budget, spending plan, expenses, expense report, spreadsheet of
    costs, balance sheet, profit, loss statement, revenue, cash flow, turnover, discount, coupon,
    price tag, sales tax, exchange of shares, currency rate, inflation, piggy bank, wallet,
    banknotes, coins, loose change, allowance, donation to charity, tip jar, subscription fee,
    membership fee, service charge, bank statement, account number, fraud alert, identity theft,
    pin code, online banking, credit score, credit limit, financial adviser, treasurer,
    fundraiser, stipend, alimony, severance pay, unemployment benefit, social security, capital
    gains, commission, royalties, venture capital
"""

TRAVEL = """
    passport, visa, boarding pass, plane ticket, flight, layover, airport, terminal, departure
    gate, runway, airline, pilot, flight attendant, window seat, aisle seat, legroom, carry-on,
    suitcase, luggage, backpack, baggage claim, customs officer, border crossing, embassy,
    consulate, train station, railway, express train, sleeper car, conductor, platform, subway,
    tram, bus route, coach tour, taxi, rental car, road trip, highway, motorway, toll road,
    detour, traffic jam, map, compass, guidebook, itinerary, travel agent, tour guide,
    sightseeing, landmark, monument, cathedral, castle, ruins, pyramids, museum tour, souvenir,
    postcard, hotel, hostel, motel, guesthouse, resort, front desk, room key, lobby, concierge,
    youth hostel, campsite, tent, sleeping bag, caravan, cruise, cruise ship, ferry, harbor,
    sailboat, yacht, lighthouse, island, beach, lagoon, coral reef, snorkeling, surfboard, canoe
    trip, waterfall, canyon, volcano, glacier, mountain pass, hiking trail, ski lift, chalet,
    national park, safari, rainforest, desert, vineyard tour, countryside, village square, old
    town, coastline, peninsula, time zone, jet lag, phrasebook, foreign language, honeymoon,
    vacation, holiday, city break, weekend getaway, expedition, pilgrimage, bicycle tour,
    motorbike ride, hitchhiker, scenic route, viewpoint, cable car, hot air balloon, helicopter
    ride, travel pillow, travel adapter, binoculars, sunscreen
"""


def words() -> tuple[tuple[str, ...], ...]:
    """The words of each topic, in the order of `CLASSES`."""
    return tuple(
        tuple(word.strip() for word in " ".join(topic.split()).split(","))
        for topic in (COOKING, HEALTH, MONEY, TRAVEL)
    )
